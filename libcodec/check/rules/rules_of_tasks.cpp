// The tree of tasks, and what each of them has.
#include <algorithm>

#include "check/checked_images.hpp"

namespace critpipe {

namespace {

void find_missing_tree(const CheckedImages& set, const Reporter& report) {
  if (set.has_tasks() && !set.has("pstree.img") && !set.is_cut)
    report({"pstree.img"}, "this image is missing: nothing says which tasks there are");
  if (set.has_whole_tree() && set.checkpoint.messages("PSTREE").empty()) report({"pstree.img"}, "it has no task");
}

template <typename Use>
void each_task(const CheckedImages& set, Use use) {
  set.each("PSTREE", [&](const std::string&, std::uint64_t entry, const Record& task) { use(entry, task); });
}

void find_unknown_parent(const CheckedImages& set, const Reporter& report) {
  if (!set.has_whole_tree()) return;
  bool has_root = false;
  each_task(set, [&](std::uint64_t entry, const Record& task) {
    const std::uint32_t pid = task.id("pid"), ppid = task.id("ppid");
    const bool is_root = ppid == 0;
    if (is_root && has_root)
      report({"pstree.img", entry, "ppid"}, format("task %u has no parent, and is not the first without one", pid));
    has_root |= is_root;
    if (!is_root && (ppid == pid || !set.checkpoint.find_task(ppid)))
      report({"pstree.img", entry, "ppid"}, format("the parent %u of task %u is not in the tree", ppid, pid));
  });
}

// CRIU looks for a parent among the entries that it has read.
void find_late_parents(const CheckedImages& set, const Reporter& report) {
  if (!set.has_whole_tree()) return;
  std::set<std::uint32_t> read;
  each_task(set, [&](std::uint64_t entry, const Record& task) {
    const std::uint32_t pid = task.id("pid"), ppid = task.id("ppid");
    const bool is_there = ppid != 0 && ppid != pid && set.checkpoint.find_task(ppid);
    if (is_there && !read.contains(ppid))
      report({"pstree.img", entry, "ppid"}, format("the parent %u of task %u stands behind it", ppid, pid));
    read.insert(pid);
  });
}

// A thread's id is a task's or another thread's, too.
void find_twice(const CheckedImages& set, const Reporter& report) {
  std::set<std::uint32_t> seen;
  each_task(set, [&](std::uint64_t entry, const Record& task) {
    const std::uint32_t pid = task.id("pid");
    const auto core = set.cores.find(pid);
    if (core == set.cores.end() || !core->second.has_thread) return;  // of a zombie the list has never been set
    task.each_number("threads", [&](std::uint64_t tid) {
      if (!seen.insert(static_cast<std::uint32_t>(tid)).second)
        report({"pstree.img", entry, "threads"},
               format("thread %u is here for the second time", static_cast<unsigned>(tid)));
    });
  });
}

// CRIU takes what the restored task begins with from the thread of the same id.
void find_no_leaders(const CheckedImages& set, const Reporter& report) {
  if (!set.has_whole_tree()) return;
  each_task(set, [&](std::uint64_t entry, const Record& record) {
    const std::uint32_t pid = record.id("pid");
    const Task* const task = set.checkpoint.find_task(pid);
    const auto core = set.cores.find(pid);
    if (!task || !task->is_running() || core == set.cores.end() || !core->second.has_task) return;
    bool has_leader = false;
    record.each_number("threads", [&](std::uint64_t tid) { has_leader |= tid == pid; });
    if (!has_leader) report({"pstree.img", entry, "threads"}, format("task %u is not among its own threads", pid));
  });
}

void find_missing_cores(const CheckedImages& set, const Reporter& report) {
  if (!set.has("pstree.img")) return;
  each_task(set, [&](std::uint64_t entry, const Record& task) {
    const std::uint32_t pid = task.id("pid");
    const auto want = [&](std::uint32_t tid, const char* what) {
      const std::string name = image_name("CORE", tid);
      if (set.has(name) || set.is_cut) return;
      report({name}, format("this image is missing: pstree.img, entry %llu, has %s %u",
                            static_cast<unsigned long long>(entry), what, tid));
    };
    want(pid, "task");
    const auto core = set.cores.find(pid);
    if (core == set.cores.end() || !core->second.has_thread) return;
    task.each_number("threads", [&](std::uint64_t tid) {
      if (tid != pid) want(static_cast<std::uint32_t>(tid), "thread");
    });
  });
}

void find_incomplete_cores(const CheckedImages& set, const Reporter& report) {
  for (const Task& task : set.checkpoint.tasks()) {
    if (!task.in_tree) continue;
    const auto core = set.cores.find(task.pid);
    if (core == set.cores.end()) continue;
    const std::string name = image_name("CORE", task.pid);
    if (set.is_damaged(name)) continue;
    if (!core->second.has_task) report({name, 0, "tc"}, format("task %u has no state, signals and name", task.pid));
    const bool has_threads = core->second.has_task && task.is_running();
    for (const Thread& thread : task.threads) {
      const auto own = set.cores.find(thread.tid);
      if (!has_threads || own == set.cores.end()) continue;
      const std::string image = image_name("CORE", thread.tid);
      if (set.is_damaged(image)) continue;
      if (!own->second.has_registers) report({image, 0}, format("thread %u has no registers", thread.tid));
      if (!own->second.has_thread)
        report({image, 0, "thread_core"}, format("thread %u has no state of its own", thread.tid));
    }
  }
}

void find_mixed_machines(const CheckedImages& set, const Reporter& report) {
  if (set.cores.empty()) return;
  const std::uint32_t first = set.cores.begin()->second.machine;
  for (const auto& [tid, core] : set.cores)
    if (core.machine != first)
      report({image_name("CORE", tid), 0, "mtype"},
             "another machine than in " + image_name("CORE", set.cores.begin()->first));
}

void find_missing_ids(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running()) {
    const std::string name = image_name("IDS", task->pid);
    const auto core = set.cores.find(task->pid);
    if (set.has(name) || set.is_cut || (core != set.cores.end() && core->second.has_ids)) continue;
    report({name},
           format("this image is missing: which descriptors and namespaces task %u has is not known", task->pid));
  }
}

void find_strangers(const CheckedImages& set, const Reporter& report) {
  if (!set.has_whole_tree()) return;
  std::set<std::uint32_t> known;
  for (const Task& task : set.checkpoint.tasks())
    for (const Thread& thread : task.threads) known.insert(thread.tid);
  for (const auto& [tid, core] : set.cores)
    if (!known.contains(tid))
      report({image_name("CORE", tid)}, format("pstree.img has no task or thread %u", tid),
             set.severity_of_strangers());
}

// Its leader's terminal and session are those of a shell outside.
void find_shell_job(const CheckedImages& set, const Reporter& report) {
  const Task* const root = set.root_task();
  if (!root || set.plan.shell_job || root->sid == root->pid || root->sid == 0) return;
  if (set.checkpoint.find_task(root->sid)) return;
  report.need(
      {"pstree.img", 0, "sid"},
      format("the root task %u is in session %u, which stays outside: it needs --shell-job", root->pid, root->sid));
}

// The kernel wakes threads of the timer's own task only.
void find_timers(const CheckedImages& set, const Reporter& report) {
  if (!set.has_whole_tree()) return;
  for (const Task* const task : set.running()) {
    const auto core = set.cores.find(task->pid);
    if (core == set.cores.end() || core->second.timer_threads.empty()) continue;
    std::set<std::uint32_t> own;
    for (const Thread& thread : task->threads) own.insert(thread.tid);
    for (const std::uint32_t tid : core->second.timer_threads)
      if (!own.contains(tid))
        report({image_name("CORE", task->pid), 0, "tc.timers.posix.notify_thread_id"},
               format("thread %u, which a timer wakes, is none of task %u", tid, task->pid));
  }
}

constexpr RuleRow rows[] = {
    {{"pstree-missing", Severity::error, "There is no tree of tasks.", "Copy pstree.img again, or dump again."},
     find_missing_tree},
    {{"pid-twice", Severity::error, "A pid stands twice in the tree.",
      "Take pstree.img from the dump as it was written."}},
    {{"thread-twice", Severity::error, "A thread stands twice in the tree.",
      "Take pstree.img from the dump as it was written."},
     find_twice},
    {{"thread-missing", Severity::error, "A task is not among its threads.",
      "Take pstree.img from the dump as it was written."},
     find_no_leaders},
    {{"parent-unknown", Severity::error, "A task's parent is not in the tree.",
      "Take pstree.img from the dump as it was written."},
     find_unknown_parent},
    {{"parent-order", Severity::error, "A task stands before its parent.",
      "Take pstree.img from the dump as it was written."},
     find_late_parents},
    {{"core-missing", Severity::error, "A task or thread has no core image.", "Copy the image again, or dump again."},
     find_missing_cores},
    {{"core-incomplete", Severity::error, "A core image lacks what a restore needs.",
      "Take the image from the dump as it was written."},
     find_incomplete_cores},
    {{"machine-mixed", Severity::error, "Core images are of different machines.",
      "Take all images from one dump: these are of two."},
     find_mixed_machines},
    {{"ids-missing", Severity::error, "A task has no ids image.", "Copy the image again, or dump again."},
     find_missing_ids},
    {{"timer-thread", Severity::error, "A timer wakes a thread that its task does not have.",
      "Take the core image and pstree.img from the same dump."},
     find_timers},
    {{"core-unclaimed", Severity::loss, "A core image is of no task.",
      "Take pstree.img from the same dump: the task will not be restored. Where an earlier dump went to the same "
      "directory, the image may have been left over."},
     find_strangers},
    {{"needs-shell-job", Severity::error, "The tree is not a session of its own.",
      "Give --shell-job to the restore, which then needs a terminal."},
     find_shell_job},
};

}  // namespace

std::span<const RuleRow> tasks_rules() { return rows; }

}  // namespace critpipe
