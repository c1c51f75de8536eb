// Processes of an inspection: the tree, programs, resident pages, command lines and environments.
#include <algorithm>

#include "report/explorers.hpp"
#include "report/inspection_work.hpp"

namespace critpipe {

namespace {

void add_pages(InspectedProcess& process, std::uint64_t page_size) {
  std::uint64_t resident = 0, stored = 0;
  for (const PageRun& run : process.task->pagemap) {
    const bool is_somewhere = run.is_present() || run.is_parent() || run.is_lazy();
    if (is_somewhere) resident += run.nr_pages;
    if (run.is_here()) stored += run.nr_pages;
  }
  process.resident_bytes = bytes_of_pages(resident, page_size);
  process.stored_bytes = bytes_of_pages(stored, page_size);
}

// Where texts reach out of what is mapped, the images contradict each other.
void report_unmapped(Inspection& inspection, const Task& task, TextPlace place) {
  const MappingIndex mappings{task.memory.mappings};
  std::uint64_t at = place.begin;
  while (at < place.end && mappings.at(at)) at = mappings.at(at)->end;
  if (at >= place.end || mappings.all().empty()) return;
  const auto next = mappings.from(at);
  const std::uint64_t end = next == mappings.all().end() ? place.end : std::min(place.end, (*next)->start);
  inspection.errors.push_back({.reason = Reason::no_bytes,
                               .image = inspection.id.text(),
                               .name = format("0x%lx-0x%lx of process %u are in no mapping", at, end, task.pid)});
}

}  // namespace

Needs needs_of(const InspectOptions& options) {
  if (options.overview) return {.kinds = {"INVENTORY"}};
  return {.ids = true,
          .threads = true,
          .descriptors = true,
          .mappings = true,
          .pagemaps = true,
          .credentials = true,
          .queues = true,
          .kinds = {"STATS", "UTSNS", "INVENTORY", "MNTS", "SHMEM_PAGEMAP", "SECCOMP"}};
}

bool Inspection::has_anything() const {
  return nr_processes > 0 || !checkpoint->pages_only().empty() || container.is_known() || errors.empty();
}

// No checkpoint is without any.
bool Inspection::knows_processes() const { return nr_processes > 0; }

std::string Inspection::comm_of(std::uint32_t pid) const {
  const Task* task = checkpoint->find_task(pid);
  return task ? task->comm : std::string{};
}

void inspect_processes(Inspection& inspection) {
  const Checkpoint& checkpoint = *inspection.checkpoint;
  for (const auto& [task, depth] : checkpoint.tree()) {
    InspectedProcess process{.task = task, .depth = depth};
    if (const File* file = task->has_memory ? checkpoint.directory(task->memory.exe_id) : nullptr) {
      process.executable = checkpoint.path_of(*file);
      process.executable_is_deleted = checkpoint.is_deleted(*file);
    }
    if (task->has_directories) {
      if (const File* file = checkpoint.directory(task->cwd_id)) {
        process.working_directory = checkpoint.path_of(*file);
        process.working_directory_is_deleted = checkpoint.is_deleted(*file);
      }
      if (const File* file = checkpoint.directory(task->root_id)) process.root = checkpoint.path_of(*file);
    }
    add_pages(process, page_size_of(checkpoint, *task));
    // Of a zombie, the images list no more threads than itself.
    if (task->in_tree)
      inspection.nr_threads = inspection.nr_threads.value_or(0) + (task->is_running() ? task->threads.size() : 0);
    inspection.processes.push_back(std::move(process));
  }
  inspection.nr_processes = inspection.processes.size();
}

void read_texts(Inspection& inspection, InspectedSet& set) {
  std::uint64_t room = kept_text_bytes;
  for (InspectedProcess& process : inspection.processes) {
    const Task& task = *process.task;
    if (!task.has_memory || !task.has_pagemap) continue;
    const AddressSpace& space = task.memory;
    std::string bytes;
    const TextPlace arguments = arguments_place(space, longest_text),
                    environment = environment_place(space, longest_text);
    const auto has_room = [&](TextPlace place) {
      const std::uint64_t size = place.end - place.begin;
      if (size > room) return false;
      room -= size;
      return true;
    };
    const std::uint64_t own_end = std::clamp(space.arg_end, arguments.begin, arguments.end);
    const TextPlace own{arguments.begin, own_end};
    if (has_room(arguments) && set.read(task, own, bytes)) {
      std::string behind;  // where a title may go on
      if (!set.read(task, {own_end, arguments.end}, behind)) behind.clear();
      process.arguments = strings_in(bytes, behind);
    } else {
      report_unmapped(inspection, task, own);
    }
    if (has_room(environment) && set.read(task, environment, bytes)) process.environment = strings_in(bytes);
    else report_unmapped(inspection, task, environment);
  }
}

std::string command_line(const InspectedProcess& process) {
  const bool has_words = process.arguments && !process.arguments->empty();
  const std::string name = process.task->comm.empty() ? "-" : "[" + process.task->comm + "]";
  if (!has_words) return name;
  std::string text;
  for (const std::string& word : *process.arguments) (text += text.empty() ? "" : " ") += word;
  // A title that a program wrote over its words ends with blanks.
  text.erase(text.find_last_not_of(' ') + 1);
  return text.empty() ? name : text;
}

namespace {

// "postgres://user:word@host/"
bool has_password(std::string_view value) {
  const std::size_t scheme = value.find("://");
  if (scheme == value.npos) return false;
  const std::string_view place = value.substr(scheme + 3, value.find('/', scheme + 3) - scheme - 3);
  const std::size_t at = place.rfind('@'), colon = place.find(':');
  return at != place.npos && colon != place.npos && colon + 1 < at;
}

}  // namespace

// The manual has the words.
bool looks_secret(std::string_view variable) {
  std::string name{variable.substr(0, variable.find('='))};
  if (name.size() == variable.size()) return false;
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  for (const char c : name)
    if (!(c == '_' || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) return false;
  constexpr std::string_view words[] = {"PASSWORD",   "PASSWD",         "PASSPHRASE",  "SECRET", "TOKEN",
                                        "CREDENTIAL", "API_KEY",        "APIKEY",      "_PASS",  "PRIVATE_KEY",
                                        "ACCESS_KEY", "ENCRYPTION_KEY", "SIGNING_KEY", "COOKIE", "CONNECTION_STRING"};
  constexpr std::string_view ends[] = {"_PWD", "_AUTH", "_PAT", "JWT", "_DSN"};
  if (name.find("TOKENIZER") != name.npos) return false;
  return std::ranges::any_of(words, [&](std::string_view word) { return name.find(word) != name.npos; }) ||
         std::ranges::any_of(ends, [&](std::string_view end) { return name.ends_with(end); }) ||
         has_password(variable.substr(name.size() + 1));
}

bool is_chosen(const std::vector<std::uint32_t>& pids, std::uint32_t pid) {
  return pids.empty() || std::ranges::find(pids, pid) != pids.end();
}

}  // namespace critpipe
