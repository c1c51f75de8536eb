#include "output/file_identity.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace critpipe {

namespace {

bool is_kept(std::string_view attribute) {
  return attribute.starts_with("user.") || attribute == "system.posix_acl_access" || attribute == "security.selinux";
}

bool keep_attributes(int from, int to) {
  constexpr std::size_t most_bytes = 1 << 16;  // the kernel's limit, of all names and of a value
  std::string names(most_bytes, '\0'), value(most_bytes, '\0');
  const ssize_t size = flistxattr(from, names.data(), names.size());
  if (size < 0) return errno == ENOTSUP;
  bool all = true;
  for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(std::strlen(names.data() + at)) + 1) {
    const char* const name = names.data() + at;
    if (!is_kept(name)) continue;
    const ssize_t length = fgetxattr(from, name, value.data(), value.size());
    all = length >= 0 && fsetxattr(to, name, value.data(), static_cast<std::size_t>(length), 0) == 0 && all;
  }
  return all;
}

}  // namespace

bool keep_identity(int from, int to) {
  struct stat old, now;
  if (fstat(from, &old) != 0 || fstat(to, &now) != 0) return false;
  const bool is_same = old.st_uid == now.st_uid && old.st_gid == now.st_gid;
  if (!is_same && fchown(to, old.st_uid, old.st_gid) != 0) return false;
  return fchmod(to, old.st_mode & 0777) == 0 && keep_attributes(from, to);
}

}  // namespace critpipe
