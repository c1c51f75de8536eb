#include "crit-restore/trust.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cli/numbers.hpp"

namespace critpipe::filters {

Trust::Trust(Program& program) : program_{program}, checks_{geteuid() == 0 && !program.has("trust")} {
  owners_ = {0, getuid()};
  if (const char* caller = getenv("SUDO_UID"))
    if (const auto uid = parse_number(caller, Numeral::decimal)) owners_.push_back(static_cast<uid_t>(*uid));
}

void Trust::check(const std::string& input) {
  struct stat status;
  const bool known = input == "-" ? fstat(STDIN_FILENO, &status) == 0 : stat(input.c_str(), &status) == 0;
  if (!checks_ || !known) return;  // reading it says what is wrong
  judge(input, status);
  if (!S_ISDIR(status.st_mode)) return;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{input, error})
    if (lstat(entry.path().c_str(), &status) == 0) judge(entry.path().string(), status);
}

void Trust::judge(const std::string& name, const struct stat& status) {
  if (program_.failed()) return;
  const bool is_ours = std::find(owners_.begin(), owners_.end(), status.st_uid) != owners_.end();
  const bool is_open = (status.st_mode & S_IWOTH) && !S_ISLNK(status.st_mode) && !(status.st_mode & S_ISVTX);
  if (is_ours && !is_open) return;
  std::string why =
      is_ours ? "everybody may write to it" : "it belongs to the user with the number " + std::to_string(status.st_uid);
  program_.report({.reason = Reason::usage,
                   .image = name,
                   .name = why + ": restoring it would run its code as root (--trust does)"});
}

}  // namespace critpipe::filters
