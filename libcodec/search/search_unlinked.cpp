// Unlinked files that are mapped, at the addresses where processes see them.
#include <algorithm>

#include "memory/checkpoint_memory.hpp"
#include "search/memory_search_work.hpp"

namespace critpipe {

using namespace search;

namespace {

using Range = CheckpointMemory::Range;

std::vector<Range> within(const std::vector<Range>& all, const Ranges& wanted) {
  std::vector<Range> ranges;
  for (const Range& one : all)
    for (const auto& [begin, end] : wanted) {
      Range part = one;
      part.begin = std::max(part.begin, begin);
      part.end = std::min(part.end, end);
      if (part.begin < part.end) ranges.push_back(part);
    }
  return ranges;
}

}  // namespace

bool maps_unlinked(const Checkpoint& checkpoint, const SetId& set, const MemorySearchOptions& options) {
  MemoryOwners owners{set, checkpoint, options};
  return std::ranges::any_of(checkpoint.tasks(), [&](const Task& task) {
    const Ranges wanted = owners.wanted({false, task.pid});
    return std::ranges::any_of(task.memory.mappings, [&](const Mapping& mapping) {
      const auto is_in = [&](const auto& range) { return range.begin < mapping.end && mapping.start < range.end; };
      return !checkpoint.ghost_of(mapping).empty() && std::ranges::any_of(wanted, is_in);
    });
  });
}

// What is wrong with the inputs, the search of their pages has said.
Step MemorySearch::Work::search_unlinked(const std::vector<std::string>& inputs, const SourceOptions& source_options) {
  const auto& pids = options.filter.pids;
  CheckpointMemory memory{
      inputs,
      {.page_size = options.page_size,
       .limits = options.limits,
       .source = source_options,
       .pids = [&](std::uint32_t pid) { return pids.empty() || std::ranges::find(pids, pid) != pids.end(); }}};
  return search_unlinked(memory);
}

Step MemorySearch::Work::search_unlinked(CheckpointMemory& memory) {
  for (const Process& process : memory.processes()) {
    MemoryOwners owners{*process.set, *process.checkpoint, options};
    const MemoryId id{false, process.task->pid};
    const std::vector<Range> ranges = within(memory.unlinked(process), owners.wanted(id));
    if (ranges.empty()) continue;
    use.add_stored();
    const auto search =
        new_search(options.context, [&](const Match& found) { return owners.report(id, found, on_match); });
    Feeder feeder{*search};
    Step step = Step::go;
    const Error error = memory.work().read(
        ranges,
        [&](const MemoryWork::Piece& piece, std::uint64_t done, Bytes bytes) {
          return step = feeder.feed(piece.vaddr + done, bytes);
        },
        [this](const Error& lost) { report_once(lost); });
    if (error) on_error(error);
    if (step == Step::go) step = search->finish();
    if (step == Step::stop && step_behind(*search, std::string{process.name}) == Step::stop) return Step::stop;
  }
  return Step::go;
}

}  // namespace critpipe
