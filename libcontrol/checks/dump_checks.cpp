#include <algorithm>

#include "checks/check_row.hpp"
#include "critpipe/schema.hpp"

namespace critpipe {

namespace {

std::vector<std::span<const DumpCheckRow>> all_rows() {
  return {task_checks(), file_checks(), socket_checks(), namespace_checks(), machine_checks()};
}

}  // namespace

bool DumpLook::is_external(std::string_view begin) const {
  const Message& message = *find_message("criu_opts");
  for (Fields fields{message, options.payload()}; fields.next();) {
    const Value& value = fields.value();
    if (!value.field || value.field->name() != "external") continue;
    const std::string_view text{reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()};
    if (text.starts_with(begin)) return true;
  }
  return false;
}

void DumpLook::find(Severity severity, const TaskFacts* task, std::string text, std::string advice) {
  findings.push_back({severity, check, task ? task->pid : 0, std::move(text), std::move(advice)});
}

void DumpLook::find_fd(Severity severity, const TaskFacts& task, const FdFacts& fd, const std::string& text,
                       std::string advice) {
  std::string all = task.text();
  all += ", descriptor " + std::to_string(fd.number) + ": " + text;
  find(severity, &task, std::move(all), std::move(advice));
}

std::span<const CheckRow> dump_checks() {
  static const std::vector<CheckRow> rows = [] {
    std::vector<CheckRow> all;
    for (const auto& group : all_rows())
      for (const DumpCheckRow& one : group) all.push_back(one.row);
    return all;
  }();
  return rows;
}

std::vector<MachineFinding> check_before_dump(const HeldProcess& root, const CriuOptions& options) {
  const TreeFacts tree = read_tree(root);
  DumpLook look{tree, options};
  if (tree.tasks.empty() || !root.is_alive()) {
    look.check = "alive";
    look.find(Severity::error, nullptr, "there is no process " + std::to_string(root.pid()) + " any more");
    return look.findings;
  }
  for (const auto& group : all_rows())
    for (const DumpCheckRow& one : group) {
      look.check = one.row.name;
      one.make(look);
    }
  std::stable_sort(look.findings.begin(), look.findings.end(),
                   [](const MachineFinding& a, const MachineFinding& b) { return a.severity < b.severity; });
  return look.findings;
}

}  // namespace critpipe
