#include "cli/cleanup.hpp"

#include <csignal>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace critpipe::filters {

namespace {

struct Leftovers {
  std::mutex mutex;
  std::map<std::string, bool> paths;  // and whether the folder around it goes too
  bool watched = false;
};

// Never destroyed: the thread that waits outlives main().
Leftovers& leftovers() {
  static Leftovers& all = *new Leftovers;
  return all;
}

void remove(const std::filesystem::path& path, bool parent) {
  std::error_code ignored;
  // A thread that still writes may make files meanwhile.
  for (int attempt = 0; attempt < 10 && std::filesystem::remove_all(path, ignored) == static_cast<std::uintmax_t>(-1);)
    ++attempt;
  if (parent) std::filesystem::remove(path.parent_path(), ignored);
}

void wait_for_one(sigset_t signals) {
  int number = 0;
  if (sigwait(&signals, &number) != 0) return;
  const std::lock_guard lock{leftovers().mutex};
  for (const auto& [path, parent] : leftovers().paths) remove(path, parent);
  std::signal(number, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (void)raise(number);
}

// Signals that are ignored (nohup) stay so.
void watch() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now;
    if (sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) sigaddset(&signals, number);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread{wait_for_one, signals}.detach();
}

}  // namespace

Leftover::Leftover(std::string path, bool parent) : path_{std::move(path)} {
  if (path_.empty()) return;
  const std::lock_guard lock{leftovers().mutex};
  leftovers().paths.emplace(path_, parent);
  if (!std::exchange(leftovers().watched, true)) watch();
}

Leftover::~Leftover() {
  const std::lock_guard lock{leftovers().mutex};
  leftovers().paths.erase(path_);
}

void Leftover::keep(const std::function<void()>& finish) {
  const std::lock_guard lock{leftovers().mutex};
  finish();
  leftovers().paths.erase(path_);
}

}  // namespace critpipe::filters
