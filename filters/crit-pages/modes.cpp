// What the modes share.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <thread>

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

std::string formatted(const char* form, ...) {
  std::string text;
  std::va_list list;
  va_start(list, form);
  std::va_list again;
  va_copy(again, list);
  const int size = std::vsnprintf(nullptr, 0, form, list);
  va_end(list);
  text.resize(static_cast<std::size_t>(size) + 1);
  std::vsnprintf(text.data(), text.size(), form, again);
  va_end(again);
  text.pop_back();
  return text;
}

std::string flags_text(std::uint32_t flags) {
  constexpr struct {
    std::uint32_t flag;
    const char* name;
  } names[] = {{PageRun::present, "present"}, {PageRun::parent, "parent"}, {PageRun::lazy, "lazy"}};
  std::string text;
  for (const auto& [flag, name] : names) {
    if (!(flags & flag)) continue;
    text += text.empty() ? "" : ",";
    text += name;
    flags &= ~flag;
  }
  if (flags != 0) text += formatted("%s0x%x", text.empty() ? "" : ",", flags);
  if (text.empty()) text += "none";
  return text;
}

const Task* task_of(const SurveyedSet& set, MemoryId memory) {
  return memory.shmem ? nullptr : set.checkpoint->find_task(static_cast<std::uint32_t>(memory.id));
}

std::string memory_text(const SurveyedSet& set, const SurveyedMemory& memory) {
  if (!memory.named) return "pagemap";
  std::string text =
      formatted(memory.memory.shmem ? "shmem %llu" : "%llu", static_cast<unsigned long long>(memory.memory.id));
  const Task* task = task_of(set, memory.memory);
  if (task && !task->comm.empty()) text += ' ' + visible(task->comm);
  return text;
}

std::string mapping_text(const Checkpoint& checkpoint, const Mapping& mapping) {
  std::string text = protection_of(mapping);
  text += mapping.is_shared() ? 's' : 'p';
  const std::string name = checkpoint.name_of(mapping);
  if (!name.empty()) text += ' ' + visible(name);
  return text;
}

void print_mapping(JsonWriter& json, const Checkpoint& checkpoint, const Mapping* mapping) {
  if (!mapping) {
    json.null();
    return;
  }
  json.begin('{').key("start").number(mapping->start).key("end").number(mapping->end);
  json.key("prot").text(protection_of(*mapping)).key("shared").boolean(mapping->is_shared());
  json.key("kind").text(name_of(mapping->kind())).key("name").text(checkpoint.name_of(*mapping)).end('}');
}

Users users_of(const Checkpoint& checkpoint) {
  Users users;
  for (const Task& task : checkpoint.tasks())
    for (const Mapping& mapping : task.memory.mappings)
      if (const auto object = shared_object(checkpoint, mapping)) {
        Use& use = users[*object];
        if (!use.mapping) use.mapping = &mapping;
        if (use.pids.empty() || use.pids.back() != task.pid) use.pids.push_back(task.pid);
      }
  return users;
}

Chosen::Chosen(Program& program) : pids_{pids_of(program)} {}

bool Chosen::operator()(MemoryId memory) const {
  return pids_.empty() || (!memory.shmem && std::ranges::find(pids_, memory.id) != pids_.end());
}

SurveyOptions survey_options(Program& program, Progress& progress) {
  SurveyOptions options;
  options.limits = limits_of(program);
  options.page_size = page_size_of(program).value_or(0);
  options.budget_bytes = program.number("memory", options.budget_bytes);
  options.nr_threads = static_cast<unsigned>(program.number("jobs", std::max(1u, std::thread::hardware_concurrency())));
  if (options.nr_threads == 0 || options.nr_threads > 1024) program.usage("--jobs takes 1 to 1024");
  options.wanted = [&program](std::string_view name) { return wanted(program, name); };
  options.progress = [&progress](std::uint64_t done, std::uint64_t all) { progress.show(done, all); };
  return options;
}

Surveyed::Surveyed(Program& program, SurveyOptions options, std::vector<std::string> inputs, Report report)
    : report_{report ? std::move(report) : [&program](const Error& error) { program.report(error); }},
      survey_{std::move(options), report_},
      sets_{&survey_.read(inputs, source_options(program))} {}

const Pagemap* Surveyed::pagemap(SurveyedSet& set, MemoryId memory) {
  const Pagemap* pagemap = set.pagemap(memory);
  if (PageFolder* folder = set.folder()) {
    // The survey has said what is wrong with the set's own pagemaps; those of parents are new.
    std::size_t& reported = reported_[&set];
    for (; reported < folder->errors().size(); ++reported)
      if (!folder->errors()[reported].image.starts_with(set.directory + "/pagemap-"))
        report_(folder->errors()[reported]);
  }
  return pagemap;
}

}  // namespace critpipe::filters
