#include "search/filter_use.hpp"

#include <algorithm>

#include "base/decimal.hpp"
#include "base/kept_errors.hpp"

namespace critpipe::search {

namespace {

Error usage(std::string what) {
  Error error{Reason::usage};
  error.name = std::move(what);
  return error;
}

std::string hex(std::uint64_t number) {
  char text[max_number_text];
  return {text, put_hex(text, number)};
}

}  // namespace

void FilterUse::add(const Checkpoint& checkpoint) {
  for (const Task& task : checkpoint.tasks()) {
    pids_.insert(task.pid);
    for (const Mapping& mapping : task.memory.mappings) add(mapping, checkpoint);
  }
}

void FilterUse::add(const Mapping& mapping, const Checkpoint& checkpoint) {
  knows_mappings_ = true;
  add(mapping.start, mapping.end);
  for (std::size_t i = 0; i < filter_.areas.size(); ++i)
    if (!areas_.contains(i) && fits_area(filter_.areas[i], mapping, checkpoint)) areas_.insert(i);
  protection_ = protection_ || fits_protection(filter_.protection, mapping);
}

void FilterUse::add(std::uint64_t begin, std::uint64_t end) {
  for (std::size_t i = 0; i < filter_.ranges.size(); ++i)
    if (filter_.ranges[i].begin < end && begin < filter_.ranges[i].end) ranges_.insert(i);
}

void FilterUse::add(MemoryId memory, const Pagemap* pagemap, std::uint64_t page_size) {
  has_memory_ = true;
  if (memory.shmem) return;
  pids_.insert(static_cast<std::uint32_t>(memory.id));
  if (!pagemap || ranges_.size() == filter_.ranges.size()) return;
  for (const PageRun& run : pagemap->runs) add(run.vaddr, run.end(page_size));
}

void FilterUse::add_without_memory(const SetId& set) {
  if (without_memory_.size() < max_kept_errors) without_memory_.push_back({Reason::no_pagemaps, set.text()});
}

std::vector<Error> FilterUse::unmatched() const {
  std::vector<Error> errors;
  for (const std::uint32_t pid : filter_.pids)
    if (!pids_.contains(pid)) errors.push_back(usage("no process " + std::to_string(pid) + " in the input"));
  for (std::size_t i = 0; i < filter_.ranges.size(); ++i)
    if (!ranges_.contains(i))
      errors.push_back(usage("no process has memory in " + hex(filter_.ranges[i].begin) + ":" +
                             hex(filter_.ranges[i].end) + ": crit-x INPUT mems lists the mappings"));
  const bool asks_for_mappings = !filter_.areas.empty() || !filter_.protection.empty();
  if (asks_for_mappings && has_memory_ && !knows_mappings_) {
    errors.push_back(usage("the input does not tell of mappings: it has no mm images, as a pre-dump has none"));
    return errors;
  }
  for (std::size_t i = 0; i < filter_.areas.size(); ++i)
    if (!areas_.contains(i))
      errors.push_back(usage("no process has a mapping " + filter_.areas[i] + ": crit-x INPUT mems lists them"));
  if (!filter_.protection.empty() && !protection_)
    errors.push_back(usage("no process has a mapping with " + filter_.protection));
  // One by itself is told below, and who asks for a process does not ask for all.
  if (has_memory_ && filter_.pids.empty()) errors.insert(errors.end(), without_memory_.begin(), without_memory_.end());
  if (!errors.empty() || has_stored_ || is_missing_) return errors;
  if (!has_memory_ && !filter_.pids.empty())
    errors.push_back(usage("no process that is asked for has memory in the input: a zombie has none"));
  else if (!has_memory_) errors.push_back(usage("no memory in the input: neither a pagemap nor a pages image"));
  else if (!filter_.is_empty())
    errors.push_back(usage("of the memory that is asked for, nothing is stored in the input"));
  return errors;
}

}  // namespace critpipe::search
