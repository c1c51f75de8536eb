#include "process/proc_text.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>

namespace critpipe {

ProcDirectory::ProcDirectory(pid_t pid)
    : fd_{open(("/proc/" + std::to_string(pid)).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)} {}

ProcDirectory::ProcDirectory(const ProcDirectory& above, const char* name)
    : fd_{openat(above.fd(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)} {}

std::optional<std::string> ProcDirectory::read(const char* name, std::size_t most) const {
  const OwnedDescriptor file{openat(fd(), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!file) return std::nullopt;
  std::string text;
  char block[16 << 10];
  while (text.size() < most) {
    const ssize_t got = ::read(file.fd(), block, std::min(most - text.size(), sizeof block));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    text.append(block, static_cast<std::size_t>(got));
  }
  return text;
}

std::optional<std::string> ProcDirectory::link(const char* name) const {
  char target[PATH_MAX + 1];
  const ssize_t size = readlinkat(fd(), name, target, sizeof target);
  if (size < 0) return std::nullopt;
  return std::string{target, static_cast<std::size_t>(size)};
}

std::vector<std::uint64_t> ProcDirectory::numbers() const {
  std::vector<std::uint64_t> found;
  // There are many, and each is read once: the library's way would open and ask for every one of them again.
  alignas(dirent64) char block[16 << 10];
  if (lseek(fd(), 0, SEEK_SET) != 0) return found;
  for (long got; (got = syscall(SYS_getdents64, fd(), block, sizeof block)) > 0;)
    for (const char* at = block; at < block + got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(at);
      if (const auto number = leading_number(entry->d_name)) found.push_back(*number);
      at += entry->d_reclen;
    }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<std::uint64_t> leading_number(std::string_view text, int base) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return number;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  constexpr std::string_view blanks = " \t";
  for (std::size_t at = line.find_first_not_of(blanks); at != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(blanks, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(blanks, end);
  }
  return words;
}

std::optional<std::string_view> line_value(std::string_view text, std::string_view key) {
  for (std::string_view line : lines_of(text)) {
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos) return std::string_view{};
    return line.substr(first, line.find_last_not_of(" \t\n") - first + 1);
  }
  return std::nullopt;
}

std::optional<ProcStat> parse_stat(std::string_view text) {
  const std::size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  ProcStat stat;
  stat.name = text.substr(open + 1, close - open - 1);
  const std::vector<std::string_view> words = words_of(text.substr(close + 1));
  if (words.size() < 20) return std::nullopt;
  stat.state = words[0][0];
  const auto number = [&](std::size_t index) {
    std::int64_t value = 0;
    std::from_chars(words[index].data(), words[index].data() + words[index].size(), value);
    return value;
  };
  stat.parent = number(1);
  stat.group = number(2);
  stat.session = number(3);
  stat.terminal = number(4);
  stat.terminal_group = number(5);
  stat.start_time = static_cast<std::uint64_t>(number(19));
  return stat;
}

std::optional<ProcStat> ProcDirectory::stat() const {
  const auto text = *this ? read("stat") : std::nullopt;
  return text ? parse_stat(*text) : std::nullopt;
}

}  // namespace critpipe
