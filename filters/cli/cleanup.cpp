#include "cli/cleanup.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace critpipe::filters {

namespace {

using Around = SignalCleanup::Around;

struct Incomplete {
  std::mutex mutex;
  std::map<std::string, Around> paths;
  bool watched = false;
};

// Never destroyed: the thread that waits outlives main().
Incomplete& incomplete() {
  static Incomplete& all = *new Incomplete;
  return all;
}

void remove(const std::filesystem::path& path, Around around) {
  std::error_code ignored;
  // A thread that still writes may make files meanwhile.
  for (int attempt = 0; attempt < 10 && std::filesystem::remove_all(path, ignored) == static_cast<std::uintmax_t>(-1);)
    ++attempt;
  if (around == Around::if_empty) std::filesystem::remove(path.parent_path(), ignored);
}

// Requires: the mutex is held.
void remove_all() {
  for (const auto& [path, around] : incomplete().paths) remove(path, around);
}

// Stands for a SIGPIPE that somebody has sent. That one cannot be waited for: blocked, it would not end a program whose
// output nobody reads any more.
int pipe_signal() { return SIGRTMIN; }

extern "C" void pass_pipe(int, siginfo_t* info, void*) {
  if (info->si_pid != getpid()) {
    kill(getpid(), pipe_signal());
    return;
  }
  std::signal(SIGPIPE, SIG_DFL);
  (void)raise(SIGPIPE);
}

void wait_for_one(sigset_t signals) {
  int number = 0;
  if (sigwait(&signals, &number) != 0) return;
  if (number == pipe_signal()) {
    number = SIGPIPE;
    sigaddset(&signals, SIGPIPE);
  }
  const std::lock_guard lock{incomplete().mutex};
  remove_all();
  std::signal(number, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (void)raise(number);
}

// Signals that are ignored stay so; those that are blocked are somebody else's. Without a thread that waits for them
// they end the program as usual, and what is incomplete stays.
void watch() {
  sigset_t signals, before;
  sigemptyset(&signals);
  pthread_sigmask(SIG_BLOCK, nullptr, &before);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF}) {
    struct sigaction now;
    if (sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_DFL && sigismember(&before, number) == 0)
      sigaddset(&signals, number);
  }
  struct sigaction pipe = {};
  const bool ends_by_pipe =
      sigaction(SIGPIPE, nullptr, &pipe) == 0 && pipe.sa_handler == SIG_DFL && sigismember(&before, SIGPIPE) == 0;
  if (ends_by_pipe) sigaddset(&signals, pipe_signal());
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  try {
    std::thread{wait_for_one, signals}.detach();
    pipe.sa_sigaction = pass_pipe;
    pipe.sa_flags = SA_SIGINFO | SA_RESTART;
    if (ends_by_pipe) sigaction(SIGPIPE, &pipe, nullptr);
  } catch (const std::system_error&) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
}

}  // namespace

void SignalCleanup::exit(int code) {
  {
    const std::lock_guard lock{incomplete().mutex};
    remove_all();
  }
  std::exit(code);
}

SignalCleanup::SignalCleanup(const std::function<Made()>& make) {
  const std::lock_guard lock{incomplete().mutex};
  if (!std::exchange(incomplete().watched, true)) watch();
  const Made made = make();
  path_ = made.path;
  if (!path_.empty()) incomplete().paths.emplace(path_, made.around);
}

SignalCleanup::~SignalCleanup() {
  const std::lock_guard lock{incomplete().mutex};
  incomplete().paths.erase(path_);
}

void SignalCleanup::commit(const std::function<void()>& finish) {
  const std::lock_guard lock{incomplete().mutex};
  finish();
  incomplete().paths.erase(path_);
}

}  // namespace critpipe::filters
