// All images came: what they say of a task is joined, and what lacks is named.
#include <algorithm>

#include "model/collect.hpp"

namespace critpipe {

namespace {

// Keeps what pstree.img said.
void join(Task& task, Task&& other) {
  Task joined = std::move(other);
  joined.pid = task.pid;
  joined.ppid = task.ppid;
  joined.pgid = task.pgid;
  joined.sid = task.sid;
  joined.in_tree = true;
  joined.threads = std::move(task.threads);
  task = std::move(joined);
}

void join_tasks(Model& model) {
  for (const auto& [pid, index] : model.task_index) {
    const auto found = model.collected.find(pid);
    if (found == model.collected.end()) continue;
    join(model.tasks[index], std::move(found->second));
    model.collected.erase(found);
  }
  // With a whole tree, images of other tasks are left over from elsewhere.
  if (!model.has_image("pstree.img") || !model.errors.empty()) {
    std::vector<std::uint32_t> pids;
    for (const auto& [pid, task] : model.collected) pids.push_back(pid);
    std::ranges::sort(pids);
    for (const std::uint32_t pid : pids) {
      model.collected[pid].pid = pid;
      model.task_index.emplace(pid, model.tasks.size());
      model.tasks.push_back(std::move(model.collected[pid]));
    }
  }
  model.collected.clear();
  for (Task& task : model.tasks) {
    // Of a zombie, pstree.img has numbers that CRIU never set.
    if (task.threads.empty() || task.state == TaskState::zombie) task.threads = {{task.pid}};
    for (Thread& thread : task.threads) {
      const auto name = model.thread_names.find(thread.tid);
      if (name != model.thread_names.end()) thread.comm = name->second;
      else if (thread.tid == task.pid) thread.comm = task.comm;
    }
  }
}

}  // namespace

void find_anonymous(const Model& model, Mapping& mapping) {
  constexpr std::uint32_t anon_shared = 1 << 8;
  if (mapping.kind() != Mapping::Kind::memfd || !mapping.is_shared()) return;
  const File* file = model.find(type_memfd, static_cast<std::uint32_t>(mapping.shmid));
  const auto inode = file ? model.memfds.find(number_of(*file, "inode_id")) : model.memfds.end();
  if (inode == model.memfds.end() || !inode->second.is_anonymous()) return;
  mapping.status |= anon_shared;
  mapping.shmid = inode->second.shmid;
}

void Checkpoint::finish(std::string_view place, bool is_whole) {
  model_->is_whole = is_whole;
  for (Error& error : model_->contradictions) {
    if (error.reason == Reason::more_errors) {
      model_->report(std::move(error));
      continue;
    }
    error.member = error.image;
    error.image.insert(0, place);
    model_->errors.push_back(std::move(error));  // which has had its room
  }
  model_->contradictions.clear();
  join_tasks(*model_);
  for (Task& task : model_->tasks)
    for (Mapping& mapping : task.memory.mappings) find_anonymous(*model_, mapping);
  for (auto& [kind, messages] : model_->messages) std::ranges::stable_sort(messages, {}, &ImageMessage::number);
  if (is_whole) name_missing(*model_, place);
}

}  // namespace critpipe
