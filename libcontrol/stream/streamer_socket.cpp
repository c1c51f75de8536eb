#include "stream/streamer_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "critpipe/fields.hpp"

namespace critpipe {

namespace {

constexpr std::size_t most_request_bytes = max_name_bytes + 64;
constexpr const char* place = "CRIU";

Error protocol_error(std::string what) {
  Error error{Reason::bad_request, place};
  error.name = std::move(what);
  return error;
}

// Processes of root and of our user.
bool may_talk_to_us(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

// Who made it may have gone. A socket of another type is refused otherwise by one that lives, which sees nothing of it.
bool is_listened_to(const sockaddr_un& address) {
  const OwnedDescriptor peer{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  return connect(peer.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == EPROTOTYPE;
}

Error fault_in_use(const std::string& path) {
  Error error{Reason::io_open, path};
  error.name = "another image streamer waits there";
  return error;
}

}  // namespace

StreamerSocket::~StreamerSocket() { close(); }

void StreamerSocket::close() {
  unlink_name();
  listening_.reset();
  connection_.reset();
  pipe_.reset();
}

void StreamerSocket::unlink_name() {
  // Somebody may have replaced it.
  struct stat status;
  if (directory_ && fstatat(directory_.fd(), name_, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_ino == inode_)
    unlinkat(directory_.fd(), name_, 0);
  directory_.reset();
}

Error StreamerSocket::listen(const std::string& directory) {
  const auto fault = [&](const std::string& what) { return system_error(Reason::io_open, what, errno); };
  OwnedDescriptor where{open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!where) return fault(directory);
  OwnedDescriptor listening{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!listening || fchmod(listening.fd(), 0600) != 0) return fault("socket");  // the mode that its name will have
  // The path may be longer than an address.
  const std::string path = descriptor_path(where.fd()) + "/" + name_;
  sockaddr_un address{AF_UNIX, {}};
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  struct stat status;
  if (fstatat(where.fd(), name_, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(status.st_mode)) {
    if (is_listened_to(address)) return fault_in_use(directory + "/" + name_);
    unlinkat(where.fd(), name_, 0);
  }
  if (bind(listening.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fault(directory + "/" + name_);
  if (fstatat(where.fd(), name_, &status, AT_SYMLINK_NOFOLLOW) == 0) inode_ = status.st_ino;
  directory_ = std::move(where);
  if (::listen(listening.fd(), 1) != 0) return fault(directory + "/" + name_);
  listening_ = std::move(listening);
  return {};
}

StreamerSocket::Event StreamerSocket::next(Error& error) {
  if (!connection_) return listening_ ? accept(error) : Event::nothing;
  if (wants_pipe_) {
    char byte;
    const ssize_t got = receive(&byte, 1);
    if (got < 0 && errno == EAGAIN) return Event::nothing;
    if (got < 0) error = system_error(Reason::io_read, place, errno);
    else if (!pipe_)
      error = protocol_error(got == 0 ? "it ends before the pipe of " + text_ : "no pipe comes for " + text_);
    if (error) return Event::failed;
    wants_pipe_ = false;
    return Event::pipe;
  }
  return take_request(error);
}

StreamerSocket::Event StreamerSocket::accept(Error& error) {
  OwnedDescriptor peer{accept4(listening_.fd(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (!peer && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) return Event::nothing;
  if (!peer) {
    error = system_error(Reason::io_open, name_, errno);
    return Event::failed;
  }
  if (!may_talk_to_us(peer.fd())) return Event::nothing;
  connection_ = std::move(peer);
  unlink_name();
  listening_.reset();
  return Event::connected;
}

// Descriptors that come where none is expected are closed.
ssize_t StreamerSocket::receive(void* into, std::size_t size) {
  iovec piece{into, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do got = recvmsg(connection_.fd(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  pipe_.reset();
  if (got < 0) return got;
  const cmsghdr* beside = CMSG_FIRSTHDR(&message);
  if (beside && beside->cmsg_level == SOL_SOCKET && beside->cmsg_type == SCM_RIGHTS &&
      beside->cmsg_len == CMSG_LEN(sizeof(int))) {
    int fd;
    std::memcpy(&fd, CMSG_DATA(beside), sizeof fd);
    pipe_ = OwnedDescriptor{fd};
  }
  return got;
}

// Reads until that much of the request is there, and nothing behind it.
StreamerSocket::Event StreamerSocket::fill(std::size_t size, Error& error) {
  while (got_.size() < size) {
    char block[512];
    const ssize_t got = receive(block, std::min(sizeof block, size - got_.size()));
    if (got < 0 && errno == EAGAIN) return Event::nothing;
    // A process that was killed leaves unread bytes: the other end has gone.
    if (got == 0 || (got < 0 && errno == ECONNRESET)) {
      if (!got_.empty()) error = protocol_error("it ends within a request");
      return error ? Event::failed : Event::closed;
    }
    if (got < 0) {
      error = system_error(Reason::io_read, place, errno);
      return Event::failed;
    }
    got_.append(block, static_cast<std::size_t>(got));
  }
  return Event::request;
}

StreamerSocket::Event StreamerSocket::take_request(Error& error) {
  Event event = fill(4, error);
  if (event != Event::request) return event;
  const std::uint32_t size = load_u32(bytes_of(got_).data());
  if (size > most_request_bytes) {
    error = protocol_error("a request of " + std::to_string(size) + " bytes");
    return Event::failed;
  }
  event = fill(4 + size, error);
  if (event != Event::request) return event;
  static const Message& message = *find_message("img_streamer_request_entry");
  const Bytes payload = bytes_of(got_).subspan(4);
  if (check(message, payload).reason != Reason::none) {
    error = protocol_error("a request that names no image");
    return Event::failed;
  }
  const auto name = value_at(message, payload, "filename").value;
  text_.assign(reinterpret_cast<const char*>(name->bytes.data()), name->bytes.size());
  got_.clear();
  return Event::request;
}

Error StreamerSocket::reply(bool exists) {
  static const Message& message = *find_message("img_streamer_reply_entry");
  std::string payload;
  Error error = set_field(message, payload, "exists", exists);
  if (error) return error;
  const auto size = static_cast<std::uint32_t>(payload.size());
  payload.insert(0, reinterpret_cast<const char*>(&size), sizeof size);
  if (send(connection_.fd(), payload.data(), payload.size(), MSG_DONTWAIT | MSG_NOSIGNAL) !=
      static_cast<ssize_t>(payload.size()))
    return system_error(Reason::io_write, place, errno);
  wants_pipe_ = exists;
  return {};
}

}  // namespace critpipe
