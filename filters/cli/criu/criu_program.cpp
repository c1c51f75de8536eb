#include "cli/criu/criu_program.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace critpipe::filters {

std::string criu_program(const Program& program) { return program.value("criu").value_or("criu"); }

std::unique_ptr<Criu> make_criu(const Program& program) {
  auto criu = std::make_unique<Criu>(criu_program(program));
  if (const auto socket = program.value("service")) criu->set_service(*socket);
  return criu;
}

struct SignalDescriptor::Masks {
  sigset_t before;
};

SignalDescriptor::SignalDescriptor() : masks_{std::make_unique<Masks>()} {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction action;
    sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&taken, number);
  }
  pthread_sigmask(SIG_BLOCK, &taken, &masks_->before);
  fd_ = OwnedDescriptor{signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK)};
}

SignalDescriptor::~SignalDescriptor() { pthread_sigmask(SIG_SETMASK, &masks_->before, nullptr); }

int SignalDescriptor::take() {
  signalfd_siginfo info;
  return read(fd_.fd(), &info, sizeof info) == static_cast<ssize_t>(sizeof info) ? static_cast<int>(info.ssi_signo) : 0;
}

void end_by_signal(int number) {
  signal(number, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  raise(number);
  sigprocmask(SIG_UNBLOCK, &one, nullptr);
  _exit(128 + number);
}

}  // namespace critpipe::filters
