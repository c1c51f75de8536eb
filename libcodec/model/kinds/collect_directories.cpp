// fs-N: working and root directory.
#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

void collect_fs(Model& model, std::uint32_t pid, const Entry& entry) {
  static const MessageReader<Task> reader{
      "fs_entry", {{"cwd_id", put<&Task::cwd_id>}, {"root_id", put<&Task::root_id>}, {"umask", put<&Task::umask>}}};
  Task& task = model.collected[pid];
  if (entry.index == 0) reader.read(entry.payload, task);
  task.has_directories = true;
}

void expect_fs(const Model& model, Missing& missing) {
  for (const Task& task : model.tasks)
    if (task.is_running()) missing.want("FS", task.pid);
}

constexpr CollectedKind rows[] = {
    {"FS", needs_descriptors, collect_fs, expect_fs},
};

}  // namespace

std::span<const CollectedKind> directories_kinds() { return rows; }

}  // namespace critpipe
