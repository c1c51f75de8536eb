// What images say of a task: its core, ids, memory and descriptor table.
#include <algorithm>

#include "model/auxiliary_vector.hpp"
#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

using Model = Checkpoint::Model;

namespace {

const MessageReader<Mapping>& mapping_reader() {
  static const MessageReader<Mapping> reader{"vma_entry",
                                             {{"start", put<&Mapping::start>},
                                              {"end", put<&Mapping::end>},
                                              {"pgoff", put<&Mapping::pgoff>},
                                              {"shmid", put<&Mapping::shmid>},
                                              {"prot", put<&Mapping::prot>},
                                              {"flags", put<&Mapping::flags>},
                                              {"status", put<&Mapping::status>}}};
  return reader;
}

const MessageReader<Ids>& ids_reader() {
  static const MessageReader<Ids> reader{"task_kobj_ids_entry",
                                         {{"vm_id", put<&Ids::vm>},
                                          {"files_id", put<&Ids::files>},
                                          {"fs_id", put<&Ids::fs>},
                                          {"sighand_id", put<&Ids::sighand>},
                                          {"pid_ns_id", put<&Ids::pid_ns>},
                                          {"net_ns_id", put<&Ids::net_ns>},
                                          {"ipc_ns_id", put<&Ids::ipc_ns>},
                                          {"uts_ns_id", put<&Ids::uts_ns>},
                                          {"mnt_ns_id", put<&Ids::mnt_ns>},
                                          {"user_ns_id", put<&Ids::user_ns>},
                                          {"cgroup_ns_id", put<&Ids::cgroup_ns>},
                                          {"time_ns_id", put<&Ids::time_ns>}}};
  return reader;
}

}  // namespace

void take_pstree(Model& model, std::uint32_t, const Entry& entry) {
  static const MessageReader<Task> reader{
      "pstree_entry",
      {{"pid", put<&Task::pid>}, {"ppid", put<&Task::ppid>}, {"pgid", put<&Task::pgid>}, {"sid", put<&Task::sid>}}};
  Task task;
  task.in_tree = true;
  reader.read(entry.payload, task, [&](const Value& threads) {
    each_integer(threads, [&](std::uint64_t tid) { task.threads.push_back({static_cast<std::uint32_t>(tid)}); });
  });
  model.task_index.try_emplace(task.pid, model.tasks.size());
  model.tasks.push_back(std::move(task));
}

namespace {

struct TaskCore {
  std::uint32_t state = 0, exit_code = 0, stop_signal = 0;
  std::string comm = {};
};

void take_task_core(Model& model, std::uint32_t pid, std::string_view machine, Bytes payload, bool has_thread) {
  static const MessageReader<TaskCore> reader{"task_core_entry",
                                              {{"task_state", put<&TaskCore::state>},
                                               {"exit_code", put<&TaskCore::exit_code>},
                                               {"stop_signo", put<&TaskCore::stop_signal>},
                                               {"comm", put<&TaskCore::comm>}}};
  TaskCore core;
  reader.read(payload, core);
  Task& task = model.found[pid];
  task.state = static_cast<TaskState>(core.state);
  if (task.state == TaskState::dead && !has_thread) task.state = TaskState::zombie;
  task.exit_code = core.exit_code;
  task.stop_signal = core.stop_signal;
  task.comm = std::move(core.comm);
  task.machine = machine;
}

struct Core {
  std::uint32_t machine = 0;
  Bytes task = {}, ids = {}, thread = {};
};

std::string_view machine_name(const MessageReader<Core>& reader, std::uint32_t machine) {
  const auto names = reader.message().find("mtype")->enum_values();
  const auto found = std::ranges::find(names, machine, &Name::value);
  return found == names.end() ? std::string_view{} : found->name;
}

// What most kernels of the architecture are built with, where it is not 4096.
std::uint64_t usual_page_size(std::string_view machine) {
  if (machine == "PPC64") return 64 << 10;
  return machine == "LOONGARCH64" ? 16 << 10 : 0;
}

}  // namespace

// A thread that does not lead has no task_core_entry, and a task has one in all releases.
void take_core(Model& model, std::uint32_t tid, const Entry& entry) {
  static const MessageReader<Core> reader{"core_entry",
                                          {{"mtype", put<&Core::machine>},
                                           {"tc", put<&Core::task>},
                                           {"ids", put<&Core::ids>},
                                           {"thread_core", put<&Core::thread>}}};
  Core core;
  reader.read(entry.payload, core);
  if (const auto usual = usual_page_size(machine_name(reader, core.machine))) model.usual_page_size = usual;
  if (core.task.data())
    take_task_core(model, tid, machine_name(reader, core.machine), core.task, core.thread.data() != nullptr);
  if (core.ids.data() && needs_ids(model.needs)) {
    Ids& own = model.found[tid].ids;
    if (own.files == 0) ids_reader().read(core.ids, own);
  }
  if (!core.thread.data() || !model.needs.threads) return;
  static const Field& comm = *find_message("thread_core_entry")->find("comm");
  if (const auto name = find_value(comm, *find_message("thread_core_entry"), core.thread))
    model.thread_names[tid] = as_text(name->bytes);
}

void take_ids(Model& model, std::uint32_t pid, const Entry& entry) {
  Ids& own = model.found[pid].ids;
  own = {};
  ids_reader().read(entry.payload, own);
}

void take_mm(Model& model, std::uint32_t pid, const Entry& entry) {
  using Space = AddressSpace;
  static const MessageReader<Space> reader{"mm_entry",
                                           {{"mm_start_code", put<&Space::start_code>},
                                            {"mm_end_code", put<&Space::end_code>},
                                            {"mm_start_data", put<&Space::start_data>},
                                            {"mm_end_data", put<&Space::end_data>},
                                            {"mm_start_stack", put<&Space::start_stack>},
                                            {"mm_start_brk", put<&Space::start_brk>},
                                            {"mm_brk", put<&Space::brk>},
                                            {"mm_arg_start", put<&Space::arg_start>},
                                            {"mm_arg_end", put<&Space::arg_end>},
                                            {"mm_env_start", put<&Space::env_start>},
                                            {"mm_env_end", put<&Space::env_end>},
                                            {"exe_file_id", put<&Space::exe_id>}}};
  static const Field& auxv = *reader.message().find("mm_saved_auxv");
  static const Field& vmas = *reader.message().find("vmas");
  Task& task = model.found[pid];
  // Growing would copy a large one again and again.
  constexpr std::size_t large = 64 << 10, usual_vma_bytes = 32;
  if (model.needs.mappings && entry.payload.size() > large)
    task.memory.mappings.reserve(entry.payload.size() / usual_vma_bytes);
  reader.read(entry.payload, task.memory, [&](const Value& value) {
    if (value.field == &auxv) each_integer(value, [&](std::uint64_t word) { task.memory.auxv.push_back(word); });
    if (value.field != &vmas || !model.needs.mappings) return;
    task.memory.mappings.emplace_back();
    mapping_reader().read(value.bytes, task.memory.mappings.back());
  });
  task.has_memory = true;
  task.memory.page_size = page_size_in(*entry.message, entry.payload);
  if (model.page_size == 0) model.page_size = task.memory.page_size;
}

void take_vma(Model& model, std::uint32_t pid, const Entry& entry) {
  std::vector<Mapping>& mappings = model.found[pid].memory.mappings;
  mapping_reader().read(entry.payload, mappings.emplace_back());
}

void take_pagemap(Model& model, std::uint32_t pid, const Entry& entry) {
  Task& task = model.found[pid];
  task.has_pagemap = true;
  if (entry.index > 0) task.pagemap.push_back(PagemapReader::decoded(entry));
}

void take_fs(Model& model, std::uint32_t pid, const Entry& entry) {
  static const MessageReader<Task> reader{
      "fs_entry", {{"cwd_id", put<&Task::cwd_id>}, {"root_id", put<&Task::root_id>}, {"umask", put<&Task::umask>}}};
  Task& task = model.found[pid];
  if (entry.index == 0) reader.read(entry.payload, task);
  task.has_directories = true;
}

void take_fdinfo(Model& model, std::uint32_t files_id, const Entry& entry) {
  static const MessageReader<Descriptor> reader{"fdinfo_entry",
                                                {{"id", put<&Descriptor::file_id>},
                                                 {"flags", put<&Descriptor::flags>},
                                                 {"type", put<&Descriptor::type>},
                                                 {"fd", put<&Descriptor::fd>}}};
  reader.read(entry.payload, model.tables[files_id].emplace_back());
}

}  // namespace critpipe
