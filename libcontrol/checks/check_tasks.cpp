// Tasks, threads, sessions.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>

#include "checks/check_row.hpp"

namespace critpipe {

namespace {

void check_alive(DumpLook& look) {
  const TaskFacts& root = look.tree.root();
  if (root.stat.state == 'Z' || root.stat.state == 'X')
    look.find(Severity::error, &root, root.text() + " has ended: a zombie is left of it");
  const auto flags = line_value(root.status, "Kthread:");
  if (flags == "1") look.find(Severity::error, &root, root.text() + " is a thread of the kernel");
}

// Our own ancestors must not be frozen: nobody would go on with the dump.
void check_ourselves(DumpLook& look) {
  pid_t pid = getpid();
  for (int depth = 0; pid > 0 && depth < 1024; ++depth) {
    if (look.tree.pids.contains(pid))
      return look.find(Severity::error, nullptr,
                       "this program is in the tree that is to be dumped, as process " + std::to_string(pid),
                       "run it from outside of the tree");
    const auto stat = ProcDirectory{pid}.stat();
    pid = stat ? static_cast<pid_t>(stat->parent) : 0;
  }
}

void check_tracers(DumpLook& look) {
  for (const TaskFacts& task : look.tree.tasks)
    for (const ThreadFacts& thread : task.threads) {
      if (thread.tracer == 0) continue;
      const ProcDirectory tracer{thread.tracer};
      std::string name = tracer ? tracer.read("comm", 256).value_or("") : "";
      while (name.ends_with('\n')) name.pop_back();
      look.find(Severity::error, &task,
                task.text() + ": thread " + std::to_string(thread.tid) + " is traced by process " +
                    std::to_string(thread.tracer) + " (" + visible(name) + ")",
                "end the debugger, or detach it");
      break;
    }
}

void check_threads(DumpLook& look) {
  for (const TaskFacts& task : look.tree.tasks) {
    const auto count = [&](std::string_view states) {
      return std::count_if(task.threads.begin(), task.threads.end(), [&](const ThreadFacts& thread) {
        return states.find(thread.state) != std::string_view::npos;
      });
    };
    const auto nr = static_cast<std::ptrdiff_t>(task.threads.size());
    if (const auto dead = count("ZX"); dead > 0 && dead < nr)
      look.find(Severity::error, &task, task.text() + ": a thread of it has ended and is not gone: a zombie thread");
    if (const auto stopped = count("T"); stopped > 0 && stopped < nr)
      look.find(Severity::error, &task, task.text() + ": some of its threads are stopped, and others are not");
    if (count("D") > 0)
      look.find(Severity::warning, &task,
                task.text() + " is in an uninterruptible sleep: CRIU waits 10 seconds until it is over",
                "--timeout=SECONDS waits longer");
  }
}

void check_session(DumpLook& look) {
  if (look.options.is_on("shell_job")) return;
  const TaskFacts& root = look.tree.root();
  const auto leader = static_cast<pid_t>(root.stat.session);
  if (leader != root.pid && look.tree.shares("pid")) {
    return look.find(Severity::error, &root,
                     root.text() + " is not the leader of its session, " +
                         (leader ? "process " + std::to_string(leader) : std::string{"one that we do not see"}) + " is",
                     root.stat.terminal ? "--shell-job, or dump the leader" : "--shell-job, or start it with setsid");
  }
  for (const TaskFacts& task : look.tree.tasks)
    if (const auto session = static_cast<pid_t>(task.stat.session); session != 0 && !look.tree.pids.contains(session))
      look.find(Severity::error, &task,
                task.text() + ": the leader of its session, process " + std::to_string(session) + ", is outside",
                "--shell-job, or dump the leader");
}

void check_frozen(DumpLook& look) {
  if (look.options.has("freeze_cgroup")) return;
  std::set<std::string> seen;
  for (const TaskFacts& task : look.tree.tasks)
    for (const std::string_view line : lines_of(task.cgroups)) {
      const std::size_t first = line.find(':'), second = line.find(':', first + 1);
      if (second == std::string_view::npos) continue;
      const bool is_second = line.substr(0, second) == "0:";
      if (!is_second && line.substr(first + 1, second - first - 1) != "freezer") continue;
      const std::string path =
          std::string{is_second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/freezer"}.append(line.substr(second + 1));
      if (!seen.insert(path).second) continue;
      std::string frozen;
      if (FILE* opened = fopen((path + (is_second ? "/cgroup.freeze" : "/freezer.state")).c_str(), "re")) {
        char text[32];
        frozen.assign(text, fread(text, 1, sizeof text, opened));
        fclose(opened);
      }
      if (frozen.starts_with("1") || frozen.starts_with("FROZEN"))
        return look.find(Severity::error, &task, task.text() + " is in a frozen cgroup, " + visible(path),
                         "--freeze-cgroup=" + visible(path) + ", or thaw it");
    }
}

constexpr DumpCheckRow rows[] = {
    {{"alive", "the root task has not ended", "Unseizable non-zombie"}, check_alive},
    {{"own-tree", "this program is outside of the tree", "The criu itself is within dumped tree"}, check_ourselves},
    {{"traced", "no debugger traces a thread", "Unable to interrupt task"}, check_tracers},
    {{"thread-states", "no thread is a zombie, stopped by itself or in an uninterruptible sleep",
      "Zombie thread not supported; Individually stopped threads not supported; Timeout reached"},
     check_threads},
    {{"session", "sessions are in the tree as a whole",
      "is not a session leader. Consider using --shell-job option; A session leader of N is outside"},
     check_session},
    {{"frozen-cgroup", "no task is in a frozen cgroup", "(CRIU waits for ever)"}, check_frozen},
};

}  // namespace

std::span<const DumpCheckRow> task_checks() { return rows; }

}  // namespace critpipe
