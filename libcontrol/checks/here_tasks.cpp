// Pids, sessions and terminals of a restore.
#include <unistd.h>

#include <map>

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

// The pids and tids that the restore gives, with the tasks that get them.
std::map<std::uint32_t, const Task*> wanted_pids(const HereLook& look) {
  std::map<std::uint32_t, const Task*> wanted;
  for (const Task& task : look.checkpoint.tasks()) {
    if (!task.in_tree) continue;
    wanted[task.pid] = &task;
    if (!task.is_running()) continue;  // CRIU writes no tids of a zombie, but whatever was in memory
    for (const Thread& thread : task.threads) wanted.try_emplace(thread.tid, &task);
  }
  return wanted;
}

void check_pids(HereLook& look) {
  if (has_own_pids(look)) return;
  for (const auto& [tid, task] : wanted_pids(look)) check_pid(look, *task, tid);
}

// A pid is in use for as long as a session or a group has its number. Of our own, another check speaks.
void check_followers(HereLook& look) {
  const ProcDirectory ours{getpid()}, all{ours, "/proc"};
  if (!all || has_own_pids(look)) return;
  const auto wanted = wanted_pids(look);
  for (const std::uint64_t number : all.numbers()) {
    const auto pid = static_cast<pid_t>(number);
    const ProcDirectory directory{pid};
    const auto stat = directory && pid != getpid() ? directory.stat() : std::nullopt;
    if (!stat) continue;
    for (const auto& [id, what] : {std::pair{stat->session, "session"}, std::pair{stat->group, "process group"}}) {
      const auto taken = wanted.find(static_cast<std::uint32_t>(id));
      // Where the process itself is here, it has been found.
      if (taken == wanted.end() || ProcDirectory{static_cast<pid_t>(id)}.stat()) continue;
      look.find(Severity::error,
                "the pid " + std::to_string(id) + " is taken here as the " + what + " of process " +
                    std::to_string(pid) + " (" + visible(stat->name) + ")",
                "end that process, or restore in a pid namespace of its own (unshare -pf --mount-proc)",
                taken->second->pid);
      break;
    }
  }
}

void check_session(HereLook& look) {
  if (has_own_pids(look)) return;
  const auto session = static_cast<std::uint32_t>(getsid(0)), group = static_cast<std::uint32_t>(getpgrp());
  const auto ids = wanted_pids(look);
  for (const auto& [number, what] : {std::pair{session, "session"}, std::pair{group, "process group"}})
    if (number != 0 && ids.contains(number))
      return look.find(
          Severity::error,
          std::string{"our own "} + what + " has the number of a pid in the images, " + std::to_string(number),
          "run it with setsid");
}

constexpr HereCheckRow rows[] = {
    {{"pid-taken", "the pids and tids of the images are free", "Can't fork for N: File exists"}, check_pids},
    {{"pid-in-use", "no session or group here has a number of the images' pids", "Can't fork for N: File exists"},
     check_followers},
    {{"own-session", "our session and process group have other numbers than those of the images",
      "Current sid N intersects with pid in images"},
     check_session},
};

}  // namespace

std::span<const HereCheckRow> here_task_checks() { return rows; }

}  // namespace critpipe
