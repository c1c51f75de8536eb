// Pids, sessions and terminals of a restore.
#include <unistd.h>

#include <set>

#include "checks/here_look.hpp"
#include "process/proc_text.hpp"

namespace critpipe {

namespace {

// A tree that brings its own pid namespace has its process 1.
bool has_own_pids(const HereLook& look) {
  for (const Task& task : look.checkpoint.tasks())
    if (task.in_tree && task.pid == 1) return true;
  return look.brings(&Ids::pid_ns);
}

void check_pid(HereLook& look, const Task& task, std::uint32_t tid) {
  const ProcDirectory taken{static_cast<pid_t>(tid)};
  const auto stat = taken.stat();
  if (!stat) return;
  // /proc knows threads by their tids, too.
  const auto leader = leading_number(line_value(taken.read("status").value_or(""), "Tgid:").value_or("")).value_or(tid);
  std::string holder = visible(stat->name);
  if (leader != tid) holder += ", a thread of process " + std::to_string(leader);
  if (stat->state == 'Z') holder += ", a zombie";
  look.find(Severity::error,
            (tid == task.pid ? "the pid " : "the tid ") + std::to_string(tid) + " is taken here by " + holder,
            "end that process, or restore in a pid namespace of its own (unshare -pf --mount-proc)", task.pid);
}

void check_pids(HereLook& look) {
  if (has_own_pids(look)) return;
  std::set<std::uint32_t> seen;
  for (const Task& task : look.checkpoint.tasks()) {
    if (!task.in_tree) continue;
    if (seen.insert(task.pid).second) check_pid(look, task, task.pid);
    if (!task.is_running()) continue;  // CRIU writes no tids of a zombie, but whatever was in memory
    for (const Thread& thread : task.threads)
      if (seen.insert(thread.tid).second) check_pid(look, task, thread.tid);
  }
}

void check_session(HereLook& look) {
  if (has_own_pids(look)) return;
  const auto session = static_cast<std::uint32_t>(getsid(0)), group = static_cast<std::uint32_t>(getpgrp());
  std::set<std::uint32_t> ids;
  for (const Task& task : look.checkpoint.tasks())
    if (task.in_tree) {
      ids.insert(task.pid);
      if (!task.is_running()) continue;
      for (const Thread& thread : task.threads) ids.insert(thread.tid);
    }
  for (const auto& [number, what] : {std::pair{session, "session"}, std::pair{group, "process group"}})
    if (number != 0 && ids.contains(number))
      return look.find(
          Severity::error,
          std::string{"our own "} + what + " has the number of a pid in the images, " + std::to_string(number),
          "run it with setsid");
}

constexpr HereCheckRow rows[] = {
    {{"pid-taken", "the pids and tids of the images are free", "Can't fork for N: File exists"}, check_pids},
    {{"own-session", "our session and process group have other numbers than those of the images",
      "Current sid N intersects with pid in images"},
     check_session},
};

}  // namespace

std::span<const HereCheckRow> here_task_checks() { return rows; }

}  // namespace critpipe
