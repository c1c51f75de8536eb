#include "process/process_tree.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>

namespace critpipe {

namespace {

using IsRoot = std::function<bool(pid_t, const ProcStat&)>;

std::map<pid_t, ProcStat> all_processes() {
  std::map<pid_t, ProcStat> all;
  std::error_code failed;
  for (std::filesystem::directory_iterator at{"/proc", failed}, end; !failed && at != end; at.increment(failed)) {
    const auto pid = static_cast<pid_t>(leading_number(at->path().filename().native()).value_or(0));
    if (pid == 0) continue;
    if (auto stat = ProcDirectory{pid}.stat()) all.emplace(pid, std::move(*stat));
  }
  return all;
}

class Trees {
 public:
  // Stops those that are not held yet. False: there are none.
  bool stop_more(const IsRoot& is_root) {
    bool has_found = false;
    const auto all = all_processes();
    for (const auto& [pid, stat] : all) {
      if (held_.contains(pid) || !is_below(pid, all, is_root)) continue;
      Error gone;
      HeldProcess process = HeldProcess::open(pid, gone);
      if (gone || process.start_time() != stat.start_time) continue;
      send(process, SIGSTOP);
      held_.emplace(pid, std::move(process));
      has_found = true;
    }
    return has_found;
  }
  void kill() const {
    for (const auto& [pid, process] : held_) send(process, SIGKILL);
  }
  pid_t wait(int milliseconds) const {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::milliseconds{milliseconds};
    for (const auto& [pid, process] : held_) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
      pollfd ended{process.pidfd(), POLLIN, 0};
      if (poll(&ended, 1, left > 0 ? static_cast<int>(left) : 0) <= 0) return pid;
    }
    return 0;
  }

 private:
  static void send(const HeldProcess& process, int number) {
    syscall(SYS_pidfd_send_signal, process.pidfd(), number, nullptr, 0);
  }
  // What /proc says of many processes is not of one moment: its parents may run in a circle.
  bool is_below(pid_t pid, const std::map<pid_t, ProcStat>& all, const IsRoot& is_root) const {
    for (std::size_t depth = 0; depth <= all.size(); ++depth) {
      const auto found = all.find(pid);
      if (found == all.end()) return false;
      if (held_.contains(pid) || is_root(pid, found->second)) return true;
      pid = static_cast<pid_t>(found->second.parent);
    }
    return false;
  }

  std::map<pid_t, HeldProcess> held_;
};

}  // namespace

pid_t kill_trees(const IsRoot& is_root, int milliseconds) {
  Trees trees;
  while (trees.stop_more(is_root)) {
  }
  trees.kill();
  return trees.wait(milliseconds);
}

}  // namespace critpipe
