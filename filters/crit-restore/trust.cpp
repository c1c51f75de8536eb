#include "crit-restore/trust.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cli/numbers.hpp"

namespace critpipe::filters {

namespace {

// Engines keep images two directories down, parents lead on.
constexpr unsigned max_depth = 64;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// Is it a group in which there is nobody but the owner? Root's, and the one that a user has by default.
bool is_own_group(const struct stat& status) {
  if (status.st_gid == 0) return true;
  const passwd* owner = getpwuid(status.st_uid);
  return owner && owner->pw_gid == status.st_gid && status.st_gid == status.st_uid;
}

}  // namespace

Trust::Trust(Program& program) : program_{program}, checks_{geteuid() == 0 && !program.has("trust")} {
  owners_ = {0, getuid()};
  if (const char* caller = getenv("SUDO_UID"))
    if (const auto uid = parse_number(caller, Numeral::decimal)) owners_.push_back(static_cast<uid_t>(*uid));
}

void Trust::check(const std::string& input) {
  if (!checks_) return;
  if (input == "-") return check_open(STDIN_FILENO, input);
  const int fd = open(input.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return;  // reading it says what is wrong
  check_open(fd, input);
  close(fd);
}

void Trust::check_open(int fd, const std::string& name) {
  struct stat status;
  if (!checks_ || fstat(fd, &status) != 0) return;
  // A pipe or a socket that we were given has no name by which others could write to it, whatever its mode says.
  if (name == "-" && !S_ISREG(status.st_mode)) status.st_mode &= ~static_cast<mode_t>(S_IWGRP | S_IWOTH);
  if (S_ISDIR(status.st_mode)) check(fd, name);
  else judge(name, status);
}

void Trust::check(int directory, const std::string& name) {
  if (checks_) check_directory(directory, name, 0);
}

void Trust::check_directory(int directory, const std::string& name, unsigned depth) {
  struct stat status;
  if (fstat(directory, &status) != 0) return refuse(name, std::strerror(errno));
  judge(name, status);
  const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDirectory> list{fd < 0 ? nullptr : fdopendir(fd)};
  if (!list || depth == max_depth) return refuse(name, list ? "it is too deep" : std::strerror(errno));
  for (errno = 0; const dirent* entry = readdir(list.get()); errno = 0) {
    if (program_.failed()) return;
    const std::string_view base = entry->d_name;
    if (base != "." && base != "..") check_entry(directory, entry->d_name, name + "/" + entry->d_name, depth + 1);
  }
  if (errno) refuse(name, std::strerror(errno));
}

void Trust::check_entry(int directory, const char* entry, const std::string& name, unsigned depth) {
  struct stat status;
  if (fstatat(directory, entry, &status, AT_SYMLINK_NOFOLLOW) != 0) return refuse(name, std::strerror(errno));
  judge(name, status);
  // Of links, only that to the parent is followed.
  const bool is_link = S_ISLNK(status.st_mode);
  if (!S_ISDIR(status.st_mode) && !(is_link && std::string_view{entry} == "parent")) return;
  const int below = openat(directory, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (is_link ? 0 : O_NOFOLLOW));
  if (below >= 0) {
    check_directory(below, name, depth);
    close(below);
  } else if (!is_link) {  // the restore says which parent is not there
    refuse(name, std::strerror(errno));
  }
}

void Trust::judge(const std::string& name, const struct stat& status) {
  const bool is_ours = std::find(owners_.begin(), owners_.end(), status.st_uid) != owners_.end();
  if (!is_ours) return refuse(name, "it belongs to the user with the number " + std::to_string(status.st_uid));
  if (S_ISLNK(status.st_mode)) return;
  if (status.st_mode & S_IWOTH) return refuse(name, "everybody may write to it");
  if ((status.st_mode & S_IWGRP) && !is_own_group(status))
    refuse(name, "the group with the number " + std::to_string(status.st_gid) + " may write to it");
}

void Trust::refuse(const std::string& name, const std::string& why) {
  if (program_.failed()) return;
  program_.report({.reason = Reason::usage,
                   .image = name,
                   .name = why + ": restoring it would run its code as root (--trust does)"});
}

}  // namespace critpipe::filters
