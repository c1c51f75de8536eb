// ps: the tree of tasks.
#include <algorithm>

#include "critpipe/inspect.hpp"
#include "report/explorers.hpp"

namespace critpipe {

namespace {

using Branches = std::vector<Checkpoint::TreeNode>;

// Tasks may nest as deep as there are tasks; indented without a bound, their text would grow with the square.
constexpr std::size_t deepest_indent = 64;

struct IdRow {
  const char* name;
  const char* column;
  std::uint32_t Ids::*id;
};
constexpr IdRow id_rows[] = {
    {"vm", "vm_id", &Ids::vm},
    {"files", "files_id", &Ids::files},
    {"fs", "fs_id", &Ids::fs},
    {"sighand", "sighand_id", &Ids::sighand},
    {"pid_ns", "pid_ns", &Ids::pid_ns},
    {"net_ns", "net_ns", &Ids::net_ns},
    {"ipc_ns", "ipc_ns", &Ids::ipc_ns},
    {"uts_ns", "uts_ns", &Ids::uts_ns},
    {"mnt_ns", "mnt_ns", &Ids::mnt_ns},
    {"user_ns", "user_ns", &Ids::user_ns},
    {"cgroup_ns", "cgroup_ns", &Ids::cgroup_ns},
    {"time_ns", "time_ns", &Ids::time_ns},
};
constexpr std::uint32_t Ids::*shown_ids[] = {&Ids::pid_ns, &Ids::net_ns, &Ids::mnt_ns, &Ids::user_ns};

// As a shell says it in short: the exit status, or the signal.
std::string exit_column(const Task& task) {
  if (task.is_running()) return "-";
  const std::uint32_t signal = task.exit_code & 0x7f;
  const std::string text = signal == 0 ? exit_text(task) : signal_name(task, signal);
  return text.substr(text.starts_with("SIG") ? 3 : text.find(' ') + 1);
}

// What only pstree.img says.
std::string known(const Task& task, std::uint32_t number) { return task.in_tree ? std::to_string(number) : "-"; }

std::string name_of(const Exploring& exploring, const Task& task) {
  return Exploring::has_name(task) ? exploring.shown(task.comm) : "-";
}

std::string columns_of(const Exploring& exploring, const Task& task, std::uint32_t tid) {
  const ExploreOptions& options = exploring.options;
  std::string line = format("%7u", task.pid);
  if (options.threads) line += format("%7u", tid);
  if (options.detail) line += format("%7s", known(task, task.ppid).c_str());
  line += format("%7s%7s", known(task, task.pgid).c_str(), known(task, task.sid).c_str());
  if (!options.detail) return line;
  line += format(" %-8s%5s %6s", std::string{critpipe::name_of(task.state)}.c_str(),
                 known(task, static_cast<std::uint32_t>(task.threads.size())).c_str(), exit_column(task).c_str());
  // 0 is the id of nothing: the image that says them is missing, or of a release that had none.
  for (const auto id : shown_ids) line += format("%7s", task.ids.*id == 0 ? "-" : std::to_string(task.ids.*id).c_str());
  return line;
}

void print_header(const Exploring& exploring) {
  const ExploreOptions& options = exploring.options;
  std::string line = "    PID";
  if (options.threads) line += "    TID";
  if (options.detail) line += "   PPID";
  line += "   PGID    SID";
  if (options.detail) line += " STATE   NLWP   EXIT  PIDNS  NETNS  MNTNS USERNS";
  exploring.write(line + "   COMM\n");
}

void print_table(const Exploring& exploring, const Branches& branches) {
  if (exploring.has_head(branches.size())) print_header(exploring);
  for (const auto& [task, depth] : branches) {
    const std::string indent(4 * std::min(depth, deepest_indent), ' ');
    exploring.write(columns_of(exploring, *task, task->pid) + "   " + indent + name_of(exploring, *task) + "\n");
    if (!exploring.options.threads) continue;
    for (const Thread& thread : task->threads)
      if (thread.tid != task->pid)
        exploring.write(columns_of(exploring, *task, thread.tid) + "   " + indent + exploring.shown(thread.comm) +
                        "\n");
  }
}

// The last of each depth: after it its line ends.
std::vector<bool> last_children(const Branches& branches) {
  std::vector<bool> is_last(branches.size());
  std::vector<bool> open;  // does a later task have that depth, under the same parent?
  for (std::size_t i = branches.size(); i-- > 0;) {
    const std::size_t depth = branches[i].depth;
    if (open.size() <= depth) open.resize(depth + 1, false);
    is_last[i] = !open[depth];
    open.resize(depth + 1);
    open[depth] = true;
  }
  return is_last;
}

struct Lines {
  const char* down;
  const char* through;
  const char* end;
  const char* blank;
};
constexpr Lines ascii{"|  ", "|- ", "`- ", "   "};
constexpr Lines unicode{"\u2502  ", "\u251c\u2500 ", "\u2514\u2500 ", "   "};

std::string tree_label(const Exploring& exploring, const Task& task) {
  std::string state{critpipe::name_of(task.state)};
  if (!task.is_running()) state += ", " + exit_text(task);
  else if (task.stop_signal != 0) state += " by " + signal_name(task, task.stop_signal);
  std::string text = format("%u ", task.pid) + name_of(exploring, task);
  const bool is_usual = task.state == TaskState::alive || task.state == TaskState::unknown;
  if (exploring.options.detail || !is_usual) text += " (" + state + ")";
  return text + "\n";
}

void print_tree(const Exploring& exploring, const Branches& branches) {
  const Lines& lines = exploring.options.unicode ? unicode : ascii;
  const std::vector<bool> is_last = last_children(branches);
  std::vector<const char*> under;  // what goes on below each ancestor, the roots aside
  for (std::size_t i = 0; i < branches.size(); ++i) {
    const auto& [task, depth] = branches[i];
    under.resize(depth == 0 ? 0 : std::min(depth, deepest_indent) - 1);
    std::string left;
    for (const char* part : under) left += part;
    exploring.write(left + (depth == 0 ? "" : is_last[i] ? lines.end : lines.through) + tree_label(exploring, *task));
    if (depth > 0) left += under.emplace_back(is_last[i] ? lines.blank : lines.down);
    if (!exploring.options.threads) continue;
    const bool has_children = i + 1 < branches.size() && branches[i + 1].depth > depth;
    for (const Thread& thread : task->threads) {
      if (thread.tid == task->pid) continue;
      const bool last = !has_children && &thread == &task->threads.back();
      exploring.write(left + (last ? lines.end : lines.through) + format("%u {", thread.tid) +
                      exploring.shown(thread.comm) + "}\n");
    }
  }
}

void put_threads(JsonWriter& json, const Task& task) {
  json.begin('[');
  for (const Thread& thread : task.threads) {
    json.begin('{').key("tid").number(thread.tid);
    if (!thread.comm.empty()) put_name(json, "comm", thread.comm);
    json.end('}');
  }
  json.end(']');
}

// What more than the images of the tree says.
void put_inspected(const Exploring& exploring, const InspectedProcess& found) {
  JsonWriter& json = exploring.json;
  const Task& task = *found.task;
  if (task.credentials.is_known) json.key("uid").number(task.credentials.uid).key("euid").number(task.credentials.euid);
  if (!found.executable.empty()) {
    put_name(json, "executable", found.executable);
    json.key("executable_deleted").boolean(found.executable_is_deleted);
  }
  if (found.arguments && exploring.is_lines()) put_name(json, "command", shell_text(*found.arguments));
  else if (found.arguments) put_names(json, "command", *found.arguments);
  if (task.has_pagemap) json.key("resident_bytes").number(found.resident_bytes);
}

// In a line each is a column of its own.
void put_ids(const Exploring& exploring, const Ids& ids) {
  JsonWriter& json = exploring.json;
  if (!exploring.is_lines()) json.key("ids").begin('{');
  for (const IdRow& row : id_rows)
    if (ids.*row.id != 0) json.key(exploring.is_lines() ? row.column : row.name).number(ids.*row.id);
  if (!exploring.is_lines()) json.end('}');
}

// In the object that is open.
void put_task(Exploring& exploring, const Task& task, const InspectedProcess* inspected) {
  JsonWriter& json = exploring.json;
  json.key("pid").number(task.pid);
  if (task.in_tree) json.key("pgid").number(task.pgid).key("sid").number(task.sid);
  if (Exploring::has_name(task)) put_name(json, "comm", task.comm);
  if (task.in_tree) json.key("ppid").number(task.ppid);
  json.key("state").text(critpipe::name_of(task.state));
  if (!task.is_running()) json.key("exit_code").number(task.exit_code).key("exit").text(exit_text(task));
  if (task.stop_signal != 0) json.key("stop_signal").text(signal_name(task, task.stop_signal));
  if (!task.machine.empty()) json.key("machine").text(task.machine);
  if (task.in_tree) exploring.put_nested("threads", [&](JsonWriter& list) { put_threads(list, task); });
  if (inspected) put_inspected(exploring, *inspected);
  put_ids(exploring, task.ids);
}

// Both are in the order of the tree.
const InspectedProcess* inspected_at(const Exploring& exploring, std::size_t branch) {
  const Inspection* const inspection = exploring.options.inspection;
  return inspection && branch < inspection->processes.size() ? &inspection->processes[branch] : nullptr;
}

// One root is an object, as with go-criu; otherwise an array of them.
void put_document(Exploring& exploring, const Branches& branches) {
  JsonWriter& json = exploring.json;
  std::size_t nr_roots = 0;
  for (const auto& branch : branches) nr_roots += branch.depth == 0;
  const bool is_alone = nr_roots == 1 && !exploring.options.list;
  if (!is_alone) exploring.begin_list();
  for (std::size_t i = 0; i < branches.size(); ++i) {
    const std::size_t depth = branches[i].depth;
    if (depth == 0) exploring.begin_line();
    else json.begin('{');
    put_task(exploring, *branches[i].task, inspected_at(exploring, i));
    const std::size_t next = i + 1 < branches.size() ? branches[i + 1].depth : 0;
    if (i + 1 < branches.size() && next > depth) {
      json.key("children").begin('[');
      continue;
    }
    json.end('}');
    for (std::size_t level = depth; level > next; --level) json.end(']').end('}');
  }
  if (is_alone) json.line_end();
  else exploring.end_list();
}

}  // namespace

void explore_ps(Exploring& exploring) {
  const Branches branches = exploring.checkpoint.tree();
  if (exploring.is_lines()) {
    for (std::size_t i = 0; i < branches.size(); ++i) {
      exploring.begin_line();
      put_task(exploring, *branches[i].task, inspected_at(exploring, i));
      exploring.end_line();
    }
  } else if (!exploring.is_text()) {
    put_document(exploring, branches);
  } else if (exploring.options.tree) {
    print_tree(exploring, branches);
  } else {
    print_table(exploring, branches);
  }
}

}  // namespace critpipe
