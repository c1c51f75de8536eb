#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "critpipe/control/process.hpp"

namespace critpipe {

void OwnedDescriptor::reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

namespace {

bool take(int result, const int (&fds)[2], OwnedDescriptor& first, OwnedDescriptor& second, const char* what,
          Error& error) {
  if (result != 0) {
    error = system_error(Reason::io_open, what, errno);
    return false;
  }
  first = OwnedDescriptor{fds[0]};
  second = OwnedDescriptor{fds[1]};
  return true;
}

}  // namespace

bool socket_pair(OwnedDescriptor& ours, OwnedDescriptor& theirs, Error& error) {
  int fds[2];
  const int result = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
  return take(result, fds, ours, theirs, "socketpair", error);
}

bool pipe_pair(OwnedDescriptor& read, OwnedDescriptor& write, Error& error) {
  int fds[2];
  const int result = pipe2(fds, O_CLOEXEC);
  return take(result, fds, read, write, "pipe", error);
}

std::string descriptor_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }
std::string descriptor_path(pid_t pid, int fd) { return format("/proc/%d/fd/%d", pid, fd); }

}  // namespace critpipe
