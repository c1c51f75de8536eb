#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>

#include "critpipe/control/criu.hpp"

namespace critpipe {

namespace {

constexpr std::size_t most_before = 5;
constexpr std::size_t longest_line = 2000;

// Reads lines without holding more than one; of a longer one, the beginning.
class LineReader {
 public:
  explicit LineReader(int fd) : fd_{fd} {}

  bool next(std::string& line) {
    line.clear();
    for (bool any = false;; any = true) {
      if (at_ == size_ && !fill()) return any;
      const char* begin = block_ + at_;
      const char* end = std::find<const char*>(begin, block_ + size_, '\n');
      line.append(begin, std::min<std::size_t>(static_cast<std::size_t>(end - begin), longest_line - line.size()));
      at_ = static_cast<std::size_t>(end - block_);
      if (at_ == size_) continue;
      ++at_;
      return true;
    }
  }

 private:
  bool fill() {
    ssize_t got;
    do got = pread(fd_, block_, sizeof block_, offset_);
    while (got < 0 && errno == EINTR);
    if (got <= 0) return false;
    offset_ += got;
    size_ = static_cast<std::size_t>(got);
    at_ = 0;
    return true;
  }

  int fd_;
  off_t offset_ = 0;
  std::size_t at_ = 0, size_ = 0;
  char block_[16384];
};

// "(00.012345) " and "     12: " are in front of what is said.
std::string without_time(const std::string& line) {
  std::string_view text = line;
  if (text.starts_with('('))
    if (const std::size_t end = text.find(") "); end != std::string_view::npos) text.remove_prefix(end + 2);
  return std::string{text};
}

// What CRIU calls an error and goes on after: it says so in logs of dumps that go well.
bool is_harmless(const std::string& line) {
  constexpr std::string_view harmless[] = {"Can't setup RLIMIT_NOFILE for self",
                                           "No parent image found, though parent"};
  return std::any_of(std::begin(harmless), std::end(harmless),
                     [&](std::string_view text) { return line.find(text) != std::string::npos; });
}

}  // namespace

CriuLogError first_error_of(int log_fd) {
  CriuLogError error;
  std::deque<std::string> before;
  LineReader reader{log_fd};
  for (std::string line; reader.next(line);) {
    // It has gone on after whatever it called an error before.
    if (line.find("finished successfully") != std::string::npos) error = {};
    if (!error.first.empty()) continue;
    line = without_time(line);
    if (line.find("Error (") != std::string::npos) {
      if (is_harmless(line)) continue;
      error.first = line;
      error.before.assign(before.begin(), before.end());
    }
    before.push_back(std::move(line));
    if (before.size() > most_before) before.pop_front();
  }
  return error;
}

}  // namespace critpipe
