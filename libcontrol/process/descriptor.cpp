#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "critpipe/control/process.hpp"

namespace critpipe {

void Descriptor::reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

namespace {

bool take(int result, const int (&fds)[2], Descriptor& first, Descriptor& second, const char* what, Error& error) {
  if (result != 0) {
    error = system_error(Reason::io_open, what, errno);
    return false;
  }
  first = Descriptor{fds[0]};
  second = Descriptor{fds[1]};
  return true;
}

}  // namespace

bool socket_pair(Descriptor& ours, Descriptor& theirs, Error& error) {
  int fds[2];
  const int result = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
  return take(result, fds, ours, theirs, "socketpair", error);
}

bool pipe_pair(Descriptor& read, Descriptor& write, Error& error) {
  int fds[2];
  const int result = pipe2(fds, O_CLOEXEC);
  return take(result, fds, read, write, "pipe", error);
}

}  // namespace critpipe
