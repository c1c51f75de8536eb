// A service of CRIU that a test plays.
#pragma once

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "critpipe/control/process.hpp"
#include "rpc.pb.h"

namespace critpipe::tests {

namespace pb = ::critpipe::oracle;

// Plays `criu service`: hands each request to `answer`, which says what goes back, and ends when that is nothing.
class FakeService {
 public:
  using Send = std::function<void(const std::string&, int)>;
  using Answer = std::function<bool(const pb::criu_req&, const Send&)>;

  explicit FakeService(Answer answer) : directory_{error_}, path_{directory_.path() + "/service"} {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    listener_ = OwnedDescriptor{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(bind(listener_.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_.fd(), 4), 0);
    thread_ = std::thread{[this, answer = std::move(answer)] { serve(answer); }};
  }
  ~FakeService() {
    shutdown(listener_.fd(), SHUT_RDWR);
    thread_.join();
  }
  const std::string& path() const { return path_; }

 private:
  void serve(const Answer& answer) {
    while (true) {
      const OwnedDescriptor client{accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC)};
      if (!client) return;
      const Send reply = [&](const std::string& bytes, int fd) { send_with(client.fd(), bytes, fd); };
      std::vector<char> block(1 << 20);
      for (ssize_t got; (got = recv(client.fd(), block.data(), block.size(), 0)) > 0;) {
        pb::criu_req request;
        EXPECT_TRUE(request.ParseFromArray(block.data(), static_cast<int>(got)));
        if (!answer(request, reply)) break;
      }
    }
  }
  static void send_with(int socket, const std::string& bytes, int fd) {
    iovec data = {const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    msghdr header = {};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    if (fd >= 0) {
      header.msg_control = control;
      header.msg_controllen = sizeof control;
      cmsghdr* part = CMSG_FIRSTHDR(&header);
      part->cmsg_level = SOL_SOCKET;
      part->cmsg_type = SCM_RIGHTS;
      part->cmsg_len = CMSG_LEN(sizeof fd);
      std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
    }
    (void)!sendmsg(socket, &header, MSG_NOSIGNAL);
  }

  Error error_;
  PrivateDirectory directory_;
  std::string path_;
  OwnedDescriptor listener_;
  std::thread thread_;
};

inline std::string answer_of(pb::criu_req_type type, bool success) {
  pb::criu_resp answer;
  answer.set_type(type);
  answer.set_success(success);
  return answer.SerializeAsString();
}

// A notification with the pid 7.
inline std::string event_of(const std::string& script) {
  pb::criu_resp notify;
  notify.set_type(pb::NOTIFY);
  notify.set_success(true);
  notify.mutable_notify()->set_script(script);
  notify.mutable_notify()->set_pid(7);
  return notify.SerializeAsString();
}

}  // namespace critpipe::tests
