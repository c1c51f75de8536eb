// core-N and ids-N: state, name and machine of a task or thread, and which objects tasks share.
#include <algorithm>

#include "model/collect.hpp"
#include "model/credentials.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

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

namespace {

struct TaskCore {
  std::uint32_t state = 0, exit_code = 0, stop_signal = 0, seccomp_mode = 0;
  std::string comm = {};
};

void collect_task_core(Model& model, std::uint32_t pid, std::string_view machine, Bytes payload, bool has_thread) {
  static const MessageReader<TaskCore> reader{"task_core_entry",
                                              {{"task_state", put<&TaskCore::state>},
                                               {"exit_code", put<&TaskCore::exit_code>},
                                               {"stop_signo", put<&TaskCore::stop_signal>},
                                               {"old_seccomp_mode", put<&TaskCore::seccomp_mode>},
                                               {"comm", put<&TaskCore::comm>}}};
  TaskCore core;
  reader.read(payload, core);
  Task& task = model.collected[pid];
  task.state = static_cast<TaskState>(core.state);
  if (task.state == TaskState::dead && !has_thread) task.state = TaskState::zombie;
  task.exit_code = core.exit_code;
  task.stop_signal = core.stop_signal;
  task.comm = std::move(core.comm);
  task.machine = machine;
  task.credentials.seccomp_mode = core.seccomp_mode;
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

void collect_thread(Model& model, std::uint32_t tid, Bytes payload, bool is_task) {
  static const Message& thread = *find_message("thread_core_entry");
  static const Field &comm = *thread.find("comm"), &creds = *thread.find("creds"), &mode = *thread.find("seccomp_mode");
  if (model.needs.threads)
    if (const auto name = find_value(comm, thread, payload)) model.thread_names[tid] = as_text(name->bytes);
  if (!is_task || !model.needs.credentials) return;
  Credentials& own = model.collected[tid].credentials;
  if (const auto value = find_value(creds, thread, payload)) read_credentials(value->bytes, own);
  own.seccomp_mode = static_cast<std::uint32_t>(integer_or(mode, thread, payload, own.seccomp_mode));
}

// A thread that does not lead has no task_core_entry, and a task has one in all releases.
void collect_core(Model& model, std::uint32_t tid, const Entry& entry) {
  static const MessageReader<Core> reader{"core_entry",
                                          {{"mtype", put<&Core::machine>},
                                           {"tc", put<&Core::task>},
                                           {"ids", put<&Core::ids>},
                                           {"thread_core", put<&Core::thread>}}};
  Core core;
  reader.read(entry.payload, core);
  if (const auto usual = usual_page_size(machine_name(reader, core.machine))) model.usual_page_size = usual;
  if (core.task.data())
    collect_task_core(model, tid, machine_name(reader, core.machine), core.task, core.thread.data() != nullptr);
  if (core.ids.data() && needs_ids(model.needs)) {
    Ids& own = model.collected[tid].ids;
    if (own.files == 0) ids_reader().read(core.ids, own);
  }
  if (core.thread.data()) collect_thread(model, tid, core.thread, core.task.data() != nullptr);
}

void collect_ids(Model& model, std::uint32_t pid, const Entry& entry) {
  Ids& own = model.collected[pid].ids;
  own = {};
  ids_reader().read(entry.payload, own);
}

void expect_core(const Model& model, Missing& missing) {
  for (const Task& task : model.tasks) missing.want("CORE", task.pid);
}

// Newer releases keep them in the core image, too.
void expect_ids(const Model& model, Missing& missing) {
  for (const Task& task : model.tasks)
    if (task.is_running() && task.ids.files == 0) missing.want("IDS", task.pid);
}

constexpr CollectedKind rows[] = {
    {"CORE", always, collect_core, expect_core},
    {"IDS", needs_ids, collect_ids, expect_ids},
};

}  // namespace

std::span<const CollectedKind> core_kinds() { return rows; }

}  // namespace critpipe
