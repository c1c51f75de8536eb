#include "rpc/worker.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace critpipe {

Error Worker::watch() {
  epoll_ = OwnedDescriptor{epoll_create1(EPOLL_CLOEXEC)};
  epoll_event readable = {};
  readable.events = EPOLLIN;
  if (!epoll_ || epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, socket_.fd(), &readable) != 0 ||
      (child_.is_running() && epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, child_.pidfd(), &readable) != 0))
    return system_error(Reason::no_criu, "", errno);
  return {};
}

Error Worker::start(const std::string& program, const std::vector<int>& keep) {
  Error error;
  OwnedDescriptor theirs;
  if (!socket_pair(socket_, theirs, error)) return error;
  printed_ = OwnedDescriptor{memfd_create("criu-output", MFD_CLOEXEC)};
  ChildOptions options{.keep = keep, .output = printed_.fd(), .error_output = printed_.fd()};
  options.keep.push_back(theirs.fd());
  // Signals of our terminal are for us: we end the conversation, and CRIU lets the tree go on.
  options.new_session = true;
  options.ends_group = true;  // CRIU tries a kernel's features out in children, which wait for it
  error = child_.start({program, "swrk", std::to_string(theirs.fd())}, options);
  if (error) {
    socket_.reset();
    error.name = "cannot start " + visible(program) + ": " + error.name;
    error.image.clear();
    error.reason = Reason::no_criu;
    return error;
  }
  return watch();
}

Error Worker::connect_to(const std::string& socket_path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path)
    return {.reason = Reason::no_criu, .name = "the path of the service's socket has more than 107 bytes"};
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  socket_ = OwnedDescriptor{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
  int result;
  do result = connect(socket_.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  while (result != 0 && errno == EINTR);
  if (result != 0) {
    Error error = system_error(Reason::no_criu, "", errno);
    error.name = "cannot connect to " + visible(socket_path) + ": " + error.name;
    socket_.reset();
    return error;
  }
  return watch();
}

Error Worker::send(const std::string& message) {
  // A datagram that is larger than the buffer needs a larger buffer.
  int room = 0;
  socklen_t size = sizeof room;
  getsockopt(socket_.fd(), SOL_SOCKET, SO_SNDBUF, &room, &size);
  const int wanted = static_cast<int>(std::min<std::size_t>(message.size() + 4096, INT32_MAX / 2));
  if (room / 2 < wanted && setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) != 0)
    setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
  ssize_t sent;
  do sent = ::send(socket_.fd(), message.data(), message.size(), MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) return system_error(Reason::no_criu, "", errno);
  return {};
}

Worker::Got Worker::receive(std::string& message, OwnedDescriptor& descriptor) {
  // MSG_PEEK with MSG_TRUNC tells the length of a datagram that is there, so nothing is allocated by a claim.
  ssize_t size;
  char byte;
  for (bool has_ended = false;;) {
    do size = recv(socket_.fd(), &byte, 1, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) break;
    // A worker that has ended says nothing more, even if somebody else still has its socket. What it said last may have
    // come since we looked.
    if (has_ended) return Got::end;
    pollfd ended = {child_.pidfd(), POLLIN, 0};
    if (!child_.is_running() || poll(&ended, 1, 0) <= 0) return Got::nothing;
    has_ended = true;
  }
  if (size <= 0) return Got::end;
  message.resize(static_cast<std::size_t>(size));
  iovec data = {message.data(), message.size()};
  constexpr std::size_t most_descriptors = 32;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * most_descriptors)];
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t got;
  do got = recvmsg(socket_.fd(), &header, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < 0) return Got::end;
  message.resize(static_cast<std::size_t>(got));
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= part->cmsg_len; at += sizeof(int)) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
      OwnedDescriptor received{fd};
      if (!descriptor) descriptor = std::move(received);
    }
  }
  return Got::message;
}

int Worker::close() {
  socket_.reset();
  epoll_.reset();
  return child_.is_running() ? child_.wait() : 0;
}

pid_t Worker::leave(int milliseconds) {
  socket_.reset();
  epoll_.reset();
  int status = 0;
  if (!child_.is_running() || child_.wait_for(milliseconds, status)) return 0;
  child_.let_go();
  return child_.pid();
}

std::string Worker::printed() const {
  constexpr off_t most = 4096;
  const off_t end = printed_ ? lseek(printed_.fd(), 0, SEEK_END) : 0;
  const off_t begin = end > most ? end - most : 0;
  std::string text(static_cast<std::size_t>(std::max<off_t>(end - begin, 0)), '\0');
  const ssize_t got = text.empty() ? 0 : pread(printed_.fd(), text.data(), text.size(), begin);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

}  // namespace critpipe
