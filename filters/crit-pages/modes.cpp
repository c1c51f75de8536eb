// What the modes share.
#include <algorithm>

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

std::string flags_text(std::uint32_t flags) {
  constexpr struct {
    std::uint32_t flag;
    const char* name;
  } names[] = {{PageRun::present, "present"},
               {PageRun::parent, "parent"},
               {PageRun::lazy, "lazy"},
               {PageRun::payload_aligned, "aligned"}};
  std::string text;
  for (const auto& [flag, name] : names) {
    if (!(flags & flag)) continue;
    text += text.empty() ? "" : ",";
    text += name;
    flags &= ~flag;
  }
  if (flags != 0) text += format("%s0x%x", text.empty() ? "" : ",", flags);
  if (text.empty()) text += "none";
  return text;
}

const Task* task_of(const SurveyedSet& set, MemoryId memory) {
  return memory.shmem ? nullptr : set.checkpoint->find_task(static_cast<std::uint32_t>(memory.id));
}

std::string memory_text(const SurveyedSet& set, const SurveyedMemory& memory) {
  if (!memory.named) return "pagemap";
  std::string text =
      format(memory.memory.shmem ? "shmem %llu" : "%llu", static_cast<unsigned long long>(memory.memory.id));
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
  put_name(json.key("kind").text(name_of(mapping->kind())), "name", checkpoint.name_of(*mapping)).end('}');
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

void Chosen::report_missing(Program& program, const std::function<bool(std::uint32_t)>& is_known) const {
  for (const std::uint32_t pid : pids_) {
    if (is_known(pid)) continue;
    Error error{Reason::usage};
    error.name = format("no process %u in the input", pid);
    program.report(error);
  }
}

namespace {

SourceOptions source_of_parents(Program& program) {
  SourceOptions source = source_options(program);
  source.set.reset();  // of the checkpoint
  return source;
}

// As their images tell, of which no contents are read. What is wrong with them is said when they are.
std::uint64_t page_size_of_parents(Program& program, const SurveyOptions& like) {
  const std::vector<std::string> inputs = program.values("parent");
  const SourceOptions source = source_of_parents(program);
  SurveyOptions options{.limits = like.limits};
  for (auto input = inputs.rbegin(); like.page_size == 0 && input != inputs.rend(); ++input) {
    if (!can_read_again(*input, source)) continue;
    PageSurvey survey{options, [](const Error&) {}};
    for (const auto& set : survey.read({*input}, source))
      if (!set->memories.empty()) options.page_size_of_parents = set->page_size;
  }
  return options.page_size_of_parents;
}

SurveyOptions options_of(Program& program, Progress& progress, const SurveyNeeds& needs, const Chosen& chosen,
                         Selection& selection) {
  SurveyOptions options;
  options.runs = needs.runs;
  options.places = needs.places;
  options.contents = needs.facts || needs.contents;
  options.check_blocks = needs.blocks;
  options.keep_facts = needs.facts;
  options.on_runs = needs.on_runs;
  options.limits = limits_of(program);
  options.page_size = page_size_of(program).value_or(0);
  options.budget_bytes = program.number("memory", options.budget_bytes);
  options.nr_threads = threads_of(program, "jobs");
  options.wanted = [&selection](std::string_view name) { return selection.leaves(name); };
  options.memories = [chosen, shared = needs.shared](MemoryId memory) {
    return chosen(memory) || (shared && memory.shmem);
  };
  options.progress = [&progress](std::uint64_t done, std::uint64_t all) { progress.show(done, all); };
  options.page_size_of_parents = page_size_of_parents(program, options);
  return options;
}

}  // namespace

SurveyedInputs::SurveyedInputs(Program& program, const SurveyNeeds& needs)
    : program_{program},
      report_{[this, &program, given = needs.report](const Error& error) {
        has_errors_ = true;
        if (given) given(error);
        else program.report(error);
      }},
      chosen_{program},
      selection_{program},
      progress_{program},
      options_{options_of(program, progress_, needs, chosen_, selection_)},
      survey_{options_, report_},
      sets_{&survey_.read(program.inputs(), source_options(program))} {
  if (program.has("parent")) read_parents(program);
  progress_.clear();
  selection_.report_missing(program, !sets_->empty());
  chosen_.report_missing(program, [&](std::uint32_t pid) {
    const auto has_memory = [pid](const auto& set) { return set->memories.contains({false, pid}); };
    if (std::ranges::any_of(*sets_, has_memory)) return true;
    const auto has_task = [pid](const auto& set) { return set->checkpoint->find_task(pid) != nullptr; };
    const auto with_task = std::ranges::find_if(*sets_, has_task);
    if (with_task == sets_->end()) return false;
    if (!(*with_task)->checkpoint->find_task(pid)->is_running())
      program.report(named_error(Reason::usage, "", format("process %u has ended: it has no memory", pid)));
    return true;  // or an image is missing, which is said below
  });
  report_without_pages(program);
  if (needs.whole) report_missing(needs);
  if (needs.parents)
    for (const auto& set : *sets_) report_parents(*set);
}

// Images that are asked for and not there.
void SurveyedInputs::report_missing(const SurveyNeeds& needs) {
  for (const auto& set : *sets_) {
    if (!set->is_set) continue;
    PartsWanted wanted{.place = set->place, .names = needs.names, .comms = true};
    if (!chosen_.all()) wanted.pids = [this](std::uint32_t pid) { return chosen_({false, pid}); };
    wanted.selects = [this](std::string_view name) { return selection_.leaves(name); };
    wanted.has_pagemap = [&](MemoryId memory) {
      return set->memories.contains(memory) || (memory.shmem && !options_.memories(memory));
    };
    for (Error error : missing_parts(*set->checkpoint, wanted)) {
      error.set = std::make_shared<const SetId>(set->id);
      report_(error);
    }
  }
}

// Pages that are in a parent which is not there, or lacks them.
void SurveyedInputs::report_parents(SurveyedSet& set) {
  if (set.totals.parent == 0 || program_.has("parent")) return;
  std::uint64_t nr_missing = 0;
  bool is_said = false;
  for (const auto& [id, memory] : set.memories) {
    if (memory.totals.parent == 0) continue;
    visit_stretches(set, id, set.page_size, 0, max_address, [&](const Stretch& stretch) {
      if (stretch.where == Stretch::Where::missing) nr_missing += stretch.nr_pages;
      return Step::go;
    });
    set.forget(id);
  }
  if (PageDirectory* directory = set.page_directory())
    for (Error& error : directory->new_errors()) {
      is_said |= error.reason == Reason::no_parent || error.reason == Reason::bad_parents ||
                 error.reason == Reason::limit_parents;
      error.set = std::make_shared<const SetId>(set.id);
      report_(error);
    }
  if (nr_missing == 0 || is_said) return;
  Error error{Reason::no_bytes, set.id.text()};
  error.name =
      format("%llu pages are in a parent that is not here, or lacks them", static_cast<unsigned long long>(nr_missing));
  error.set = std::make_shared<const SetId>(set.id);
  report_(error);
}

bool SurveyedInputs::has_failed() const {
  const auto is_shown = [this](const auto& one) { return chosen_(one.first); };
  const auto any = [&](const auto& set) {
    return !set->images.empty() || std::ranges::any_of(set->memories, is_shown);
  };
  return program_.failed() && std::ranges::none_of(*sets_, any);
}

// The sets that have pages in a parent; those without a link to it, where there are such among them.
std::vector<SurveyedSet*> children_of(std::vector<std::unique_ptr<SurveyedSet>>& sets) {
  const auto has_link = [](SurveyedSet* set) {
    return set->page_directory() && set->page_directory()->has_parent_link();
  };
  std::vector<SurveyedSet*> children;
  for (const auto& set : sets)
    if (set->totals.parent > 0) children.push_back(set.get());
  if (!std::ranges::all_of(children, has_link)) std::erase_if(children, has_link);
  if (children.empty() && !sets.empty()) children.push_back(sets.front().get());
  return children;
}

void SurveyedInputs::read_parents(Program& program) {
  const std::vector<std::string> inputs = program.values("parent");
  const SourceOptions source = source_of_parents(program);
  SurveyOptions options = options_;
  options.memories = {};
  options.on_runs = {};
  options.page_size = sets_->empty() ? options.page_size : sets_->front()->page_size;
  std::vector<SurveyedSet*> parents;
  const auto failed = std::make_shared<bool>(false);
  const auto report = [failed, report = report_](const Error& error) {
    *failed = true;
    report(error);
  };
  for (const std::string& input : inputs) {
    *failed = false;
    auto& survey = parents_.emplace_back(std::make_unique<PageSurvey>(options, report));
    std::vector<SurveyedSet*> found;
    for (const auto& set : survey->read({input}, source))
      if (!set->memories.empty()) found.push_back(set.get());
    if (found.empty() && *failed) return;
    if (found.size() != 1) return report_(no_single_parent(input, found.size()));
    parents.push_back(found.front());
  }
  for (std::size_t i = 0; i + 1 < parents.size(); ++i) parents[i]->give_parent(*parents[i + 1]);
  for (SurveyedSet* child : children_of(*sets_)) {
    child->give_parent(*parents.front());
    std::vector<MemoryId> memories;
    for (const auto& [id, memory] : child->memories) memories.push_back(id);
    check_parents(*child, memories, child->page_size, inputs, report_);
  }
}

void SurveyedInputs::report_without_pages(Program& program) {
  if (has_errors_ || program.failed()) return;
  for (const auto& set : *sets_) {
    if (!set->memories.empty() || !set->images.empty()) continue;
    const std::string name = set->id.text();
    if (!set->is_set)
      program.report(named_error(Reason::no_bytes, name,
                                 "no memory in what was given of it: give the whole checkpoint, or its pagemaps and "
                                 "pages images, too"));
    else if (chosen_.all()) program.report({Reason::no_pagemaps, name});
  }
  if (sets_->empty() && chosen_.all()) program.report({Reason::no_pagemaps, program.inputs().front()});
}

const Pagemap* SurveyedInputs::pagemap(SurveyedSet& set, MemoryId memory) {
  const Pagemap* pagemap = set.pagemap(memory);
  PageDirectory* directory = set.page_directory();
  if (!directory) return pagemap;
  for (Error& error : directory->new_errors()) {
    error.set = std::make_shared<const SetId>(set.id);
    report_(error);
  }
  return pagemap;
}

CheckpointMemory memory_of(Program& program, Selection& selection, MemoryNeeds needs) {
  CheckpointMemory::OnError report = std::move(needs.report);
  if (!report) report = [&program](const Error& error) { program.report(error); };
  const Chosen chosen{program};
  MemoryOptions options;
  options.held_bytes = program.number("memory", options.held_bytes);
  options.page_size = page_size_of(program).value_or(0);
  options.limits = limits_of(program);
  options.source = source_options(program);
  options.parents = program.values("parent");
  options.comms = needs.comms;
  options.content = needs.content;
  options.wanted = [&selection](std::string_view name) { return selection.leaves(name); };
  if (!chosen.all()) options.pids = [chosen](std::uint32_t pid) { return chosen({false, pid}); };
  return CheckpointMemory{program.inputs(), options, std::move(report)};
}

bool has_processes(Program& program, const Selection& selection, const CheckpointMemory& memory) {
  selection.report_missing(program, true);
  if (memory.processes().empty() && program.failed()) return false;
  const auto task_of = [&](std::uint32_t pid) {
    const Task* task = nullptr;
    for (const Process& one : memory.processes())
      if (!task) task = one.checkpoint->find_task(pid);
    return task;
  };
  Chosen{program}.report_missing(program, [&](std::uint32_t pid) {
    if (memory.find_process(pid)) return true;
    const Task* const task = task_of(pid);
    if (task && task->is_running()) return true;  // an image of it is missing: that was said
    if (!task && !memory.processes().empty()) return false;
    program.report(named_error(Reason::usage, "",
                               task ? format("process %u has ended: it has no memory", pid)
                                    : format("no process %u with memory in the input", pid)));
    return true;
  });
  if (!memory.processes().empty()) return true;
  Error error{Reason::usage};
  error.name = "no process with memory in the input";
  if (!program.failed()) program.report(error);
  return false;
}

bool has_several_sets(std::span<const Process> processes) {
  return std::ranges::any_of(processes, [&](const Process& one) { return *one.set != *processes.front().set; });
}

Absent absent_of(Program& program) {
  const std::string holes = program.value("holes").value_or("error");
  if (holes != "error" && holes != "zero") program.usage("--holes takes error or zero, not " + holes);
  return holes == "zero" ? Absent::zero_holes : Absent::refused;
}

}  // namespace critpipe::filters
