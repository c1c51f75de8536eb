// Checkpoints whose parents are inputs of their own: every memory in address order, through CheckpointMemory's sets.
#include <algorithm>

#include "memory/checkpoint_memory.hpp"
#include "search/searched_set.hpp"

namespace critpipe {

using namespace search;

namespace {

constexpr std::uint64_t held_bytes = 32 << 20;

// Has the pages of one memory delivered when all that are wanted are known.
class PiecesReader final : public StoredReader {
 public:
  PiecesReader(MemorySearch::Work& work, MemoryWork& memories, MemorySet& set)
      : work_{work}, memories_{memories}, set_{set} {}

  Step take(const Stretch& stretch, std::uint64_t begin, std::uint64_t end, Feeder&) override {
    pieces_.push_back(MemoryWork::piece_of(0, set_, begin, end, stretch));
    return Step::go;
  }
  Step finish(Feeder& feeder) override;

 private:
  MemorySearch::Work& work_;
  MemoryWork& memories_;
  MemorySet& set_;
  std::vector<MemoryWork::Piece> pieces_;
};

Step PiecesReader::finish(Feeder& feeder) {
  Step step = Step::go;
  Error error;
  if (!pieces_.empty())
    error = memories_.deliver(
        pieces_,
        [&](const MemoryWork::Piece& piece, std::uint64_t done, Bytes bytes) {
          return step = feeder.feed(piece.vaddr + done, bytes);
        },
        [this](const Error& lost) { work_.report_once(lost); });
  if (step == Step::go) step = feeder.search().finish();
  memories_.report_directory(set_);
  if (step == Step::go && error) work_.on_error(error);
  return step;
}

MemoryOptions memory_options_of(const MemorySearchOptions& options, const SourceOptions& source_options) {
  MemoryOptions memory_options;
  memory_options.page_size = options.page_size;
  memory_options.limits = options.limits;
  memory_options.source = source_options;
  return memory_options;
}

}  // namespace

Step MemorySearch::Work::search_sets(CheckpointMemory& memory, const std::function<bool(const Pagemap*)>& wanted) {
  MemoryWork& memories = memory.work();
  if (!memories.from_pipe) memories.options.held_bytes = held_bytes;  // of a pipe, all pages are held already
  for (MemorySet* set : memories.children()) {
    MemoryOwners owners{set->id, set->checkpoint, options};
    use.add(set->checkpoint);
    if (!wanted) report_missing(set->checkpoint, set->place, {});
    for (const MemoryId one : in_order(set->checkpoint, set->memories)) {
      if (wanted && !(set->has_given_parent() && wanted(set->pagemap(one)))) continue;
      PiecesReader reader{*this, memories, *set};
      if (search_stored({*set, one, set->page_size, owners, set->name}, reader) == Step::stop) return Step::stop;
    }
  }
  return Step::go;
}

Step MemorySearch::Work::search_with_parents(const std::vector<std::string>& inputs,
                                             const std::vector<std::string>& parents,
                                             const SourceOptions& source_options) {
  MemoryOptions memory_options = memory_options_of(options, source_options);
  memory_options.parents = parents;
  if (const auto& pids = options.filter.pids; !pids.empty())
    memory_options.pids = [&](std::uint32_t pid) { return std::ranges::find(pids, pid) != pids.end(); };
  CheckpointMemory memory{inputs, memory_options, on_error};
  if (search_sets(memory, {}) == Step::stop) return Step::stop;
  return search_unlinked(memory);
}

// What is wrong with the inputs, the search of the other pages has said.
Step MemorySearch::Work::search_joined(const std::vector<std::string>& inputs, const SourceOptions& source_options) {
  CheckpointMemory memory{inputs, memory_options_of(options, source_options)};
  return search_sets(memory,
                     [](const Pagemap* pagemap) { return pagemap && SearchedSet::has_pages_in_parent(*pagemap); });
}

}  // namespace critpipe
