// All images came: what they say of a task is joined, and what lacks is named.
#include <algorithm>
#include <set>

#include "model/collect.hpp"

namespace critpipe {

namespace {

using Model = Checkpoint::Model;

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
    const auto found = model.found.find(pid);
    if (found == model.found.end()) continue;
    join(model.tasks[index], std::move(found->second));
    model.found.erase(found);
  }
  // With a whole tree, images of other tasks are left over from elsewhere.
  if (!model.has_image("pstree.img") || !model.errors.empty()) {
    std::vector<std::uint32_t> pids;
    for (const auto& [pid, task] : model.found) pids.push_back(pid);
    std::ranges::sort(pids);
    for (const std::uint32_t pid : pids) {
      model.found[pid].pid = pid;
      model.task_index.emplace(pid, model.tasks.size());
      model.tasks.push_back(std::move(model.found[pid]));
    }
  }
  model.found.clear();
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

class Missing {
 public:
  Missing(Model& model, std::string_view folder) : model_{model}, folder_{folder} {
    for (const Error& error : model.errors) named_.insert(error.image);
  }

  void want(const std::string& name) {
    if (model_.has_image(name) || !named_.insert(folder_ + name).second) return;
    model_.errors.push_back({Reason::missing_image, folder_ + name});
  }
  void want(std::string_view word, std::uint64_t number) { want(std::string{word} + std::to_string(number) + ".img"); }

 private:
  Model& model_;
  std::string folder_;
  std::set<std::string> named_;
};

// A file that something refers to is in files.img or in the image of its type.
void want_file(Model& model, Missing& missing, std::uint32_t type) {
  const FileType* row = file_type_of(type);
  if (row && !(row->kind && model.has_image(row->kind->file))) missing.want("files.img");
}

void name_missing(Model& model, std::string_view folder) {
  Missing missing{model, folder};
  const Needs& needs = model.needs;
  missing.want("pstree.img");
  for (const Task& task : model.tasks) {
    missing.want("core-", task.pid);
    if (!task.is_running()) continue;
    if ((needs.ids || needs.descriptors) && task.ids.files == 0) missing.want("ids-", task.pid);
    if (needs.descriptors) missing.want("fs-", task.pid);
    if (needs.descriptors && task.ids.files != 0) missing.want("fdinfo-", task.ids.files);
    if (needs.mappings) missing.want("mm-", task.pid);
    if (needs.pagemaps) missing.want("pagemap-", task.pid);
  }
  if (needs.descriptors)
    for (const auto& [id, table] : model.tables)
      for (const Descriptor& descriptor : table) want_file(model, missing, descriptor.type);
  if (needs.mappings && !model.tasks.empty()) want_file(model, missing, type_reg);
}

}  // namespace

void Checkpoint::finish(std::string_view folder, bool is_whole) {
  join_tasks(*model_);
  if (is_whole) name_missing(*model_, folder);
}

}  // namespace critpipe
