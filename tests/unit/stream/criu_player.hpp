// CRIU's side of an image streamer, played.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>

#include "critpipe/control/process.hpp"
#include "critpipe/fields.hpp"

namespace critpipe::tests {

class CriuPlayer {
 public:
  // Both ends of a connection; ours is kept.
  static std::pair<CriuPlayer, OwnedDescriptor> connected() {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    return {CriuPlayer{OwnedDescriptor{fds[0]}}, OwnedDescriptor{fds[1]}};
  }
  explicit CriuPlayer(OwnedDescriptor socket) : socket_{std::move(socket)} {}

  static std::string framed(const std::string& message) {
    const auto size = static_cast<std::uint32_t>(message.size());
    return std::string{reinterpret_cast<const char*>(&size), sizeof size} + message;
  }
  static std::string request_of(const std::string& name) {
    std::string message = "\x0a";
    append_varint(message, name.size());
    return framed(message + name);
  }
  bool send_bytes(const std::string& bytes) {
    return send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  bool request(const std::string& name) { return send_bytes(request_of(name)); }
  bool pass(int fd) {
    char byte = 0;
    iovec piece{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* beside = CMSG_FIRSTHDR(&message);
    beside->cmsg_level = SOL_SOCKET;
    beside->cmsg_type = SCM_RIGHTS;
    beside->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(beside), &fd, sizeof fd);
    return sendmsg(socket_.fd(), &message, MSG_NOSIGNAL) == 1;
  }
  // The end to write an image to. None: the streamer has gone.
  OwnedDescriptor begin(const std::string& name) {
    Error error;
    OwnedDescriptor theirs, ours;
    if (!pipe_pair(theirs, ours, error) || !request(name) || !pass(theirs.fd())) return {};
    return ours;
  }
  bool dump(const std::string& name, const std::string& content) {
    const OwnedDescriptor pipe = begin(name);
    return pipe && write(pipe.fd(), content.data(), content.size()) == static_cast<ssize_t>(content.size());
  }
  // The end to read an image from. None: it does not exist.
  OwnedDescriptor ask(const std::string& name) {
    char reply[6] = {};
    if (!request(name) || recv(socket_.fd(), reply, sizeof reply, MSG_WAITALL) != sizeof reply) return {};
    Error error;
    OwnedDescriptor theirs, ours;
    if (reply[5] == 0 || !pipe_pair(ours, theirs, error) || !pass(theirs.fd())) return {};
    return ours;
  }
  // "-": it does not exist.
  std::string restore(const std::string& name) {
    const OwnedDescriptor pipe = ask(name);
    return pipe ? rest_of(pipe.fd()) : "-";
  }
  static std::string rest_of(int fd) {
    std::string all;
    char block[4096];
    for (ssize_t got; (got = read(fd, block, sizeof block)) > 0;) all.append(block, static_cast<std::size_t>(got));
    return all;
  }
  void go() { socket_.reset(); }

 private:
  OwnedDescriptor socket_;
};

}  // namespace critpipe::tests
