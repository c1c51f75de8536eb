// SIGPIPE does not leave this scope: a write to a pipe that nobody reads is an error of that write alone.
#pragma once

#include <csignal>
#include <pthread.h>
#include <ctime>

namespace critpipe {

class SigpipeGuard {
 public:
  SigpipeGuard() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t waiting;
    was_waiting_ = sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~SigpipeGuard() {
    const timespec none{};
    if (!was_waiting_)
      while (sigtimedwait(&pipe_, nullptr, &none) == SIGPIPE) {
      }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  sigset_t pipe_, before_;
  bool was_waiting_ = false;
};

}  // namespace critpipe
