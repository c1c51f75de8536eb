#include <algorithm>
#include <set>

#include "checks/here_look.hpp"
#include "rpc/rpc_messages.hpp"

namespace critpipe {

namespace {

std::vector<std::span<const HereCheckRow>> all_rows() {
  return {here_task_checks(), here_file_checks(), here_socket_checks(), here_machine_checks(), here_demands()};
}

template <typename Use>
void each_value(const Message& message, Bytes payload, std::string_view name, Use use) {
  const Field* const wanted = message.find(name);
  for (Fields fields{message, payload}; wanted && fields.next();)
    if (fields.value().field == wanted) use(fields.value());
}

}  // namespace

std::uint64_t entry_number(const Message& message, Bytes payload, std::string_view name, std::uint64_t otherwise) {
  return number_in(message, payload, name, otherwise);
}

std::string entry_text(const Message& message, Bytes payload, std::string_view name) {
  return text_in(message, payload, name);
}

std::vector<std::uint32_t> entry_numbers(const Message& message, Bytes payload, std::string_view name) {
  std::vector<std::uint32_t> numbers;
  each_value(message, payload, name, [&](const Value& value) {
    if (value.wire != Wire::bytes) return numbers.push_back(static_cast<std::uint32_t>(value.integer));
    const std::byte* at = value.bytes.data();
    for (const std::byte* const end = at + value.bytes.size(); at != end;)
      numbers.push_back(static_cast<std::uint32_t>(trusted_varint(at)));
  });
  return numbers;
}

std::vector<EntryPart> entry_parts(const Message& message, Bytes payload, std::string_view name) {
  std::vector<EntryPart> parts;
  each_value(message, payload, name, [&](const Value& value) {
    parts.push_back({&value.field->message(), value.bytes});
  });
  return parts;
}

std::vector<std::string> entry_texts(const Message& message, Bytes payload, std::string_view name) {
  std::vector<std::string> texts;
  each_value(message, payload, name, [&](const Value& value) {
    texts.emplace_back(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
  });
  return texts;
}

std::string text_of(const Task& task) {
  return "process " + std::to_string(task.pid) + (task.comm.empty() ? "" : " (" + visible(task.comm) + ")");
}

std::string text_of(const std::vector<const Task*>& tasks) {
  constexpr std::size_t most = 8;
  if (tasks.size() == 1) return text_of(*tasks[0]);
  std::string text = "processes ";
  for (std::size_t i = 0; i < tasks.size() && i < most; ++i)
    text.append(i ? ", " : "").append(std::to_string(tasks[i]->pid));
  if (tasks.size() > most) text += " and " + std::to_string(tasks.size() - most) + " more";
  return text;
}

HereLook::HereLook(const Checkpoint& checkpoint, const CriuOptions& options)
    : checkpoint{checkpoint}, options{options} {
  const Message& message = message_of(RpcMessage::options);
  external = entry_texts(message, options.payload(), "external");
  for (const EntryPart& one : entry_parts(message, options.payload(), "ext_mnt"))
    external.push_back("mnt[" + entry_text(*one.message, one.payload, "key") +
                       "]:" + entry_text(*one.message, one.payload, "val"));
  for (const EntryPart& one : entry_parts(message, options.payload(), "inherit_fd"))
    inherited.push_back(entry_text(*one.message, one.payload, "key"));
  for (const Task& task : checkpoint.tasks()) {
    if (!task.in_tree) continue;
    if (!root_) root_ = &task;
  }
  running_ = checkpoint.running();
  dumped_by_ = checkpoint.ids_of_dumper().value_or(Ids{});
  for (const ImageMessage& inventory : checkpoint.messages("INVENTORY"))
    closes_connections_ |= entry_number(*inventory.message, inventory.payload, "tcp_close") != 0;
  closes_connections_ |= options.is_on("tcp_close");
  collect_files();
}

bool HereLook::brings(std::uint32_t Ids::*space) const {
  if (!root_ || root_->ids.*space == 0 || dumped_by_.*space == 0) return false;
  return root_->ids.*space != dumped_by_.*space;
}

std::optional<std::string> HereLook::external_value(std::string_view type, std::string_view key) const {
  const auto value = critpipe::external_value(external, type, key);
  return value ? std::optional{std::string{*value}} : std::nullopt;
}

void HereLook::collect_files() {
  std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
  const auto add = [&](const File* file, const Task& task) {
    if (file && seen.insert({file->type, file->id}).second) files_.push_back({file, &task});
  };
  for (const Task* task : running_) {
    for (const Descriptor& one : checkpoint.descriptors(*task)) add(checkpoint.find_file(one.type, one.file_id), *task);
    for (const Mapping& mapping : task->memory.mappings) add(checkpoint.file_of(mapping), *task);
    for (const std::uint32_t id : {task->memory.exe_id, task->cwd_id, task->root_id})
      add(id ? checkpoint.directory(id) : nullptr, *task);
  }
}

void HereLook::find(Severity severity, std::string text, std::string advice, std::uint32_t pid) {
  findings.push_back({severity, check, static_cast<pid_t>(pid), std::move(text), std::move(advice)});
}

std::span<const CheckRow> here_checks() {
  static const std::vector<CheckRow> rows = [] {
    std::vector<CheckRow> all;
    for (const auto& group : all_rows())
      for (const HereCheckRow& one : group) all.push_back(one.row);
    return all;
  }();
  return rows;
}

Needs here_needs() {
  return {.ids = true,
          .threads = true,
          .descriptors = true,
          .mappings = true,
          .credentials = true,
          .kinds = {"REMAP_FPATH", "MNTS", "INVENTORY", "CPUINFO", "CGROUP"}};
}

std::vector<MachineFinding> check_here(const Checkpoint& checkpoint, const CriuOptions& options) {
  HereLook look{checkpoint, options};
  for (const auto& group : all_rows())
    for (const HereCheckRow& one : group) {
      look.check = one.row.name;
      one.make(look);
    }
  std::stable_sort(look.findings.begin(), look.findings.end(),
                   [](const MachineFinding& a, const MachineFinding& b) { return a.severity < b.severity; });
  return std::move(look.findings);
}

}  // namespace critpipe
