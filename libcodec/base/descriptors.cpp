#include "base/descriptors.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace critpipe {

namespace {

int open_by_parts(int directory, const std::string& path, int flags, mode_t mode) {
  int at = directory;
  for (std::size_t begin = 0;;) {
    const std::size_t slash = path.find('/', begin);
    const std::string part = path.substr(begin, slash - begin);
    const bool is_last = slash == path.npos;
    const int fd = openat(at, part.c_str(), is_last ? flags : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, mode);
    if (at != directory) close_keeping_errno(at);
    if (fd < 0 || is_last) return fd;
    at = fd;
    begin = slash + 1;
  }
}

}  // namespace

int open_beneath(int directory, const std::string& path, int flags, mode_t mode) {
  flags |= O_NOFOLLOW | O_CLOEXEC;
  if (path.find('/') == path.npos) return openat(directory, path.c_str(), flags, mode);
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const auto fd = static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how));
  // The kernel has no openat2, a filter of system calls hides it, or a rename disturbed it.
  const bool is_missing = fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN);
  return is_missing ? open_by_parts(directory, path, flags, mode) : fd;
}

Error open_fault(const std::string& place, int number) {
  if (number != ENXIO) return system_error(Reason::io_open, place, number);
  Error error{Reason::bad_member, place};
  error.name = no_device;
  return error;
}

void close_keeping_errno(int fd) {
  const int number = errno;
  if (fd >= 0) ::close(fd);
  errno = number;
}

}  // namespace critpipe
