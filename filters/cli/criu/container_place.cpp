#include "cli/criu/container_place.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace critpipe::filters {

bool is_container_name(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !is_letter(text[0])) return false;
  for (const char c : text)
    if (!is_letter(c) && c != '_' && c != '.' && c != '-') return false;
  return true;
}

Error make_container_place(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_error(Reason::io_write, path, errno);
  struct stat status;
  if (lstat(path.c_str(), &status) != 0) return system_error(Reason::io_open, path, errno);
  if (path != default_container_place) return {};
  if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
    return {.reason = Reason::usage, .image = path, .name = "others may write there: chown root, chmod 700"};
  return {};
}

}  // namespace critpipe::filters
