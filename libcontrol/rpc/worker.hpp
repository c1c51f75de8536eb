// Whom we talk to: a child `criu swrk N`, or a service behind a socket. Messages in, messages out.
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "critpipe/control/process.hpp"

namespace critpipe {

class Worker {
 public:
  enum class Got : std::uint8_t { nothing, message, end };

  // Reasons: no_criu.
  [[nodiscard]] Error start(const std::string& program, const std::vector<int>& keep);
  [[nodiscard]] Error connect_to(const std::string& socket_path);

  bool is_open() const { return static_cast<bool>(socket_); }
  int pidfd() const { return child_.pidfd(); }
  int poll_fd() const { return epoll_.fd(); }  // readable when receive() may have something

  [[nodiscard]] Error send(const std::string& message);
  // Does not wait. `descriptor`: the first that came with it; others are closed.
  Got receive(std::string& message, OwnedDescriptor& descriptor);
  void kill() { child_.signal(SIGKILL); }
  void spare_group() { child_.spare_group(); }  // which may have tasks that were restored
  // Closes the socket and waits for the child; its status, 0 for a service.
  int close();
  // Hangs up. A worker that has not ended in that time is left alone: its pid; 0: it has ended.
  pid_t leave(int milliseconds);
  // The end of what the child printed.
  std::string printed() const;

 private:
  Error watch();

  Child child_;
  OwnedDescriptor socket_, epoll_, printed_;
};

}  // namespace critpipe
