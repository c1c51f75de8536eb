// What /proc says of processes: hostile text, since they choose names, links and much else in it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/control/process.hpp"

namespace critpipe {

// Fields of /proc/PID/stat. The name, which may hold parentheses and blanks, is left out of them.
struct ProcStat {
  std::string name;
  char state = '?';
  std::int64_t parent = 0, group = 0, session = 0, terminal = 0, terminal_group = 0;
  std::uint64_t start_time = 0;  // clock ticks since boot
};
std::optional<ProcStat> parse_stat(std::string_view text);

// An open directory of /proc. It belongs to one process: when that is gone, all reads fail.
class ProcDirectory {
 public:
  explicit ProcDirectory(pid_t pid);                            // /proc/PID
  ProcDirectory(const ProcDirectory& above, const char* name);  // a directory below
  explicit operator bool() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.fd(); }

  // A file, up to `most` bytes of it. Nothing: it cannot be read.
  std::optional<std::string> read(const char* name, std::size_t most = std::size_t{64} << 20) const;
  std::optional<std::string> link(const char* name) const;  // where a link leads
  // The names that are numbers, ascending.
  std::vector<std::uint64_t> numbers() const;
  std::optional<ProcStat> stat() const;  // of the process or thread. Nothing: it is gone

 private:
  OwnedDescriptor fd_;
};

// The rest of the line that begins with `key`, without blanks around it: of status, fdinfo. Nothing: there is none.
std::optional<std::string_view> line_value(std::string_view text, std::string_view key);
// A number at the front of a text; nothing where there is none or it is too large.
std::optional<std::uint64_t> leading_number(std::string_view text, int base = 10);

std::vector<std::string_view> lines_of(std::string_view text);
std::vector<std::string_view> words_of(std::string_view line);  // between blanks

}  // namespace critpipe
