// Tasks, threads, sessions.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>

#include "checks/check_row.hpp"

namespace critpipe {

namespace {

bool is_zombie(char state) { return state == 'Z' || state == 'X'; }

void check_alive(DumpLook& look) {
  const TaskFacts& root = look.tree.root();
  // Where it is but the first of the threads that has ended, the others are running.
  if (std::all_of(root.threads.begin(), root.threads.end(),
                  [](const ThreadFacts& one) { return is_zombie(one.state); }) &&
      is_zombie(root.stat.state))
    look.find(Severity::error, &root, root.text() + " has ended: a zombie is left of it",
              "its parent, process " + std::to_string(root.stat.parent) + ", has to wait for it, or dump that one");
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
      look.find(Severity::error, &task, task.text() + ": a thread of it has ended and is not gone: a zombie thread",
                "a first thread that ends before others stays so: CRIU can dump the program only while it runs");
    if (const auto stopped = count("T"); stopped > 0 && stopped < nr)
      look.find(Severity::error, &task, task.text() + ": some of its threads are stopped, and others are not");
    if (count("D") > 0)
      look.find(Severity::warning, &task,
                task.text() + " is in an uninterruptible sleep: CRIU waits 10 seconds until it is over",
                "--timeout=SECONDS waits longer");
  }
}

// The number of its session in its own pid namespace; 0: the leader is none there.
std::uint64_t inner_session(const TaskFacts& task) {
  const std::vector<std::string_view> words = words_of(line_value(task.status, "NSsid:").value_or(""));
  return words.empty() ? static_cast<std::uint64_t>(task.stat.session) : leading_number(words.back()).value_or(0);
}

void check_session(DumpLook& look) {
  bool is_foreign = false;
  for (const TaskFacts& task : look.tree.tasks)
    if (inner_session(task) == 0) {
      is_foreign = true;
      look.find(Severity::error, &task, task.text() + ": the leader of its session is outside of its pid namespace",
                "start the program with setsid");
    }
  if (is_foreign || look.options.is_on("shell_job")) return;
  const TaskFacts& root = look.tree.root();
  const auto leader = static_cast<pid_t>(root.stat.session);
  if (leader != root.pid && look.tree.shares("pid")) {
    return look.find(Severity::error, &root,
                     root.text() + " is not the leader of its session, process " + std::to_string(leader) + " is",
                     root.stat.terminal ? "--shell-job, or dump the leader" : "--shell-job, or start it with setsid");
  }
  for (const TaskFacts& task : look.tree.tasks)
    if (const auto session = static_cast<pid_t>(task.stat.session); session != 0 && !look.tree.pids.contains(session))
      look.find(Severity::error, &task,
                task.text() + ": the leader of its session, process " + std::to_string(session) + ", is outside",
                "--shell-job, or dump the leader");
}

// A pid is in use for as long as a session or a group has its number, and no restore here can give it.
void check_followers(DumpLook& look) {
  const ProcDirectory all{ProcDirectory{getpid()}, "/proc"};
  if (!all) return;
  for (const std::uint64_t number : all.numbers()) {
    const auto pid = static_cast<pid_t>(number);
    if (look.tree.pids.contains(pid)) continue;
    const ProcDirectory directory{pid};
    const auto stat = directory ? directory.stat() : std::nullopt;
    if (!stat) continue;
    for (const auto& [id, what] : {std::pair{stat->session, "session"}, std::pair{stat->group, "process group"}})
      if (look.tree.pids.contains(static_cast<pid_t>(id))) {
        look.find(Severity::warning, nullptr,
                  "process " + std::to_string(pid) + " (" + visible(stat->name) + ") is in the " + what +
                      " of process " + std::to_string(id) + ", but not in the tree: it is left out",
                  "end it before a restore here, which needs the pid " + std::to_string(id));
        break;
      }
  }
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
    {{"session-outside", "no process outside is in a session or a group of the tree",
      "(the restore: Can't fork for N: File exists)"},
     check_followers},
    {{"frozen-cgroup", "no task is in a frozen cgroup", "(CRIU waits for ever)"}, check_frozen},
};

}  // namespace

std::span<const DumpCheckRow> task_checks() { return rows; }

}  // namespace critpipe
