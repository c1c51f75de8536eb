// pstree.img: which tasks there are.
#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

void collect_pstree(Model& model, std::uint32_t, const Entry& entry) {
  static const MessageReader<Task> reader{
      "pstree_entry",
      {{"pid", put<&Task::pid>}, {"ppid", put<&Task::ppid>}, {"pgid", put<&Task::pgid>}, {"sid", put<&Task::sid>}}};
  Task task;
  task.in_tree = true;
  reader.read(entry.payload, task, [&](const Value& threads) {
    each_integer(threads, [&](std::uint64_t tid) { task.threads.push_back({static_cast<std::uint32_t>(tid)}); });
  });
  if (!model.task_index.try_emplace(task.pid, model.tasks.size()).second) model.contradict(Reason::bad_pid, task.pid);
  model.tasks.push_back(std::move(task));
}

void expect_pstree(const Model& model, Missing& missing) {
  missing.want("pstree.img");
  if (std::ranges::none_of(model.tasks, &Task::in_tree)) missing.lacks("pstree.img", "it has no task");
}

constexpr CollectedKind rows[] = {
    {"PSTREE", always, collect_pstree, expect_pstree},
};

}  // namespace

std::span<const CollectedKind> pstree_kinds() { return rows; }

}  // namespace critpipe
