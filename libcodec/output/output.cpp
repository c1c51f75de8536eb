// The output buffer.
#include "critpipe/output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <new>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

namespace critpipe {

Output::Output(std::size_t capacity)
    : buffer_{new char[capacity]}, capacity_{capacity}, at_{buffer_.get()}, end_{buffer_.get() + capacity} {}

// A writer that has left its room has overwritten memory: nothing that follows can be trusted.
void Output::check_place() const {
  if (at_ > end_) std::abort();
}

void Output::make_room(std::size_t room) {
  check_place();
  char* begin = buffer_.get();
  const bool keep = mark_ && static_cast<std::size_t>(at_ - mark_) <= held_output_bytes;
  char* written_to = keep ? mark_ : at_;
  const auto kept = static_cast<std::size_t>(at_ - written_to);
  if (written_to != begin && !failed_) failed_ = !drain(begin, static_cast<std::size_t>(written_to - begin));
  std::memmove(begin, written_to, kept);
  at_ = begin + kept;
  mark_ = keep ? begin : nullptr;
  if (room <= capacity_ - kept) return;
  if (room > most_room - kept) throw std::bad_alloc{};
  const std::size_t capacity = 2 * std::max(capacity_, kept + room);
  std::unique_ptr<char[]> larger{new char[capacity]};  // where this throws, all is as it was
  std::memcpy(larger.get(), begin, kept);
  buffer_ = std::move(larger);
  capacity_ = capacity;
  at_ = buffer_.get() + kept;
  end_ = buffer_.get() + capacity;
  mark_ = keep ? buffer_.get() : nullptr;
}

void Output::write(std::string_view text) {
  while (!text.empty()) {
    const std::size_t piece = std::min(text.size(), capacity_ / 2 + 1);
    std::memcpy(reserve(piece), text.data(), piece);
    at_ += piece;
    text.remove_prefix(piece);
  }
}

void Output::pass(std::span<const std::byte> bytes) {
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  if (mark_ || text.size() < block_bytes / 8) return write(text);
  if (flush() == Step::go) failed_ = !drain(text.data(), text.size());
}

bool Output::rollback() {
  if (!mark_) return false;
  at_ = mark_;
  mark_ = nullptr;
  return true;
}

Step Output::flush() {
  check_place();
  mark_ = nullptr;
  if (at_ != buffer_.get() && !failed_) failed_ = !drain(buffer_.get(), static_cast<std::size_t>(at_ - buffer_.get()));
  at_ = buffer_.get();
  return step();
}

FileOutput::FileOutput(int fd, std::string name, std::size_t capacity)
    : Output{capacity}, fd_{fd}, name_{std::move(name)} {
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)) fcntl(fd, F_SETPIPE_SZ, 1 << 20);
}

bool FileOutput::replace() {
  if (!std::exchange(replaces_, false) || ftruncate(fd_, 0) == 0) return true;
  error_ = system_error(Reason::io_write, name_, errno);
  return false;
}

bool FileOutput::drain(const char* bytes, std::size_t size) {
  if (!replace()) return false;
  while (size > 0) {
    const ssize_t done = ::write(fd_, bytes, size);
    if (done < 0) {
      if (errno == EINTR) continue;
      error_ = system_error(Reason::io_write, name_, errno);
      return false;
    }
    bytes += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

// Between files copy_file_range, which shares blocks where a file system can; else sendfile, which lends a pipe the
// pages of the file's cache. Where neither works nothing is moved, and reading the file says why.
std::uint64_t FileOutput::move(int fd, std::uint64_t size) {
  std::uint64_t moved = 0;
  bool ranges = true;
  if (!replace()) return 0;
  while (moved < size) {
    const std::size_t piece = std::min<std::uint64_t>(size - moved, 1 << 30);
    const ssize_t done =
        ranges ? copy_file_range(fd, nullptr, fd_, nullptr, piece, 0) : sendfile(fd_, fd, nullptr, piece);
    if (done > 0) moved += static_cast<std::uint64_t>(done);
    else if (done < 0 && errno == EINTR) continue;
    else if (ranges) ranges = false;
    else break;
  }
  return moved;
}

}  // namespace critpipe
