#include "critpipe/search.hpp"

#include <algorithm>

#include "base/kept_errors.hpp"
#include "search/memory_search_work.hpp"

namespace critpipe {

MemorySearch::MemorySearch(const Patterns& patterns, MemorySearchOptions options, OnMatch on_match, OnError on_error)
    : work_{new Work{patterns, std::move(options), std::move(on_match), std::move(on_error)}} {}
MemorySearch::~MemorySearch() = default;

Step MemorySearch::directory(const std::string& path, const SourceOptions& options) {
  return work_->search_directory(path, options);
}

Step MemorySearch::inputs(const std::vector<std::string>& inputs, const SourceOptions& options) {
  return work_->search_inputs(inputs, options);
}

Step MemorySearch::with_parents(const std::vector<std::string>& inputs, const std::vector<std::string>& parents,
                                const SourceOptions& options) {
  return work_->search_with_parents(inputs, parents, options);
}
std::vector<Error> MemorySearch::unmatched() const { return work_->use.unmatched(); }

void MemorySearch::Work::report_missing(const Checkpoint& checkpoint, const std::string& place,
                                        const std::function<bool(MemoryId)>& has_pagemap) {
  const MemoryFilter& filter = options.filter;
  PartsWanted wanted{.place = place, .has_pagemap = has_pagemap};
  wanted.names = options.names || !filter.areas.empty() || !filter.protection.empty();
  if (!filter.pids.empty())
    wanted.pids = [&](std::uint32_t pid) { return std::ranges::find(filter.pids, pid) != filter.pids.end(); };
  for (const Error& error : missing_parts(checkpoint, wanted)) {
    use.add_missing();
    on_error(error);
  }
}

void MemorySearch::Work::report_once(const Error& error) {
  if (reported.size() < max_kept_errors && reported.emplace(error.reason, error.image).second) on_error(error);
}

Step MemorySearch::Work::search_stored(const StoredMemory& memory, StoredReader& reader) {
  const search::Ranges wanted = memory.owners.wanted(memory.id);
  const bool by_range = !wanted.empty() && !options.filter.ranges.empty();
  use.add(memory.id, by_range ? memory.store.pagemap(memory.id) : nullptr, memory.page_size);
  if (wanted.empty()) return Step::go;
  const auto search =
      new_search(options.context, [&](const Match& found) { return memory.owners.report(memory.id, found, on_match); });
  search::Feeder feeder{*search};
  std::uint64_t nr_missing = 0, nr_lazy = 0;
  bool goes_on = true;
  for (const auto& range : wanted)
    goes_on = goes_on && visit_stretches(memory.store, memory.id, memory.page_size, range.begin, range.end,
                                         [&](const Stretch& stretch) {
                                           if (stretch.where == Stretch::Where::missing) nr_missing += stretch.nr_pages;
                                           if (stretch.where == Stretch::Where::lazy) nr_lazy += stretch.nr_pages;
                                           if (stretch.where != Stretch::Where::stored) return Step::go;
                                           use.add_stored();
                                           const std::uint64_t begin = std::max(stretch.vaddr, range.begin);
                                           const std::uint64_t end = std::min(stretch.end(memory.page_size), range.end);
                                           return begin < end ? reader.take(stretch, begin, end, feeder) : Step::go;
                                         });
  if (!goes_on || reader.finish(feeder) == Step::stop || search->finish() == Step::stop)
    return step_behind(*search, memory.place);
  report_lazy(memory.place, nr_lazy);
  if (nr_missing == 0) return Step::go;
  Error error{Reason::unsearched_pages, memory.place};
  error.have = nr_missing;
  on_error(error);
  return Step::go;
}

void MemorySearch::Work::report_lazy(const std::string& place, std::uint64_t nr_pages) {
  if (nr_pages == 0) return;
  Error error{Reason::no_bytes, place};
  error.name = std::to_string(nr_pages) + " pages were left behind for a lazy restore: they were not searched";
  on_error(error);
}

}  // namespace critpipe
