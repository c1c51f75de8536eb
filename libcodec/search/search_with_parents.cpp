// Checkpoints whose parents are inputs of their own: every memory in address order, through CheckpointMemory's sets.
#include <algorithm>

#include "memory/checkpoint_memory.hpp"
#include "search/memory_search_work.hpp"

namespace critpipe {

using namespace search;

namespace {

constexpr std::uint64_t held_bytes = 32 << 20;

class PiecesSearch {
 public:
  PiecesSearch(MemorySearch::Work& work, MemoryWork& memories, MemorySet& set)
      : work_{work}, memories_{memories}, set_{set}, owners_{set.id, set.checkpoint, work.options} {}
  Step run(MemoryId memory);

 private:
  std::vector<MemoryWork::Piece> pieces_of(MemoryId memory, const Ranges& wanted);

  MemorySearch::Work& work_;
  MemoryWork& memories_;
  MemorySet& set_;
  MemoryOwners owners_;
  std::uint64_t missing_ = 0;  // pages
};

std::vector<MemoryWork::Piece> PiecesSearch::pieces_of(MemoryId memory, const Ranges& wanted) {
  std::vector<MemoryWork::Piece> pieces;
  missing_ = 0;
  for (const auto& range : wanted)
    (void)visit_stretches(set_, memory, set_.page_size, range.begin, range.end, [&](const Stretch& stretch) {
      if (stretch.where == Stretch::Where::missing) missing_ += stretch.nr_pages;
      if (stretch.where != Stretch::Where::stored) return Step::go;
      const std::uint64_t begin = std::max(stretch.vaddr, range.begin);
      const std::uint64_t end = std::min(stretch.end(set_.page_size), range.end);
      if (begin < end) pieces.push_back(MemoryWork::piece_of(0, set_, begin, end, stretch));
      return Step::go;
    });
  return pieces;
}

Step PiecesSearch::run(MemoryId memory) {
  const Ranges wanted = owners_.wanted(memory);
  const bool by_range = !wanted.empty() && !work_.options.filter.ranges.empty();
  work_.use.add(memory, by_range ? set_.pagemap(memory) : nullptr, set_.page_size);
  if (wanted.empty()) return Step::go;
  const std::vector<MemoryWork::Piece> pieces = pieces_of(memory, wanted);
  if (!pieces.empty()) work_.use.add_stored();
  Search search{work_.patterns, work_.options.context,
                [&](const Match& found) { return owners_.report(memory, found, work_.on_match); }};
  Feeder feeder{search};
  Step step = Step::go;
  Error error;
  if (!pieces.empty())
    error = memories_.deliver(pieces, [&](const MemoryWork::Piece& piece, std::uint64_t done, Bytes bytes) {
      return step = feeder.feed(piece.vaddr + done, bytes);
    });
  if (step == Step::go) step = feeder.end();
  memories_.report_directory(set_);
  if (step == Step::stop) return work_.step_behind(search, set_.name);
  if (error) work_.on_error(error);
  if (missing_ == 0) return Step::go;
  Error unsearched{Reason::unsearched_pages, set_.name};
  unsearched.have = missing_;
  work_.on_error(unsearched);
  return Step::go;
}

}  // namespace

Step MemorySearch::Work::search_with_parents(const std::vector<std::string>& inputs,
                                             const std::vector<std::string>& parents,
                                             const SourceOptions& source_options) {
  MemoryOptions memory_options;
  memory_options.page_size = options.page_size;
  memory_options.parents = parents;
  memory_options.limits = options.limits;
  memory_options.source = source_options;
  CheckpointMemory memory{inputs, memory_options, on_error};
  MemoryWork& memories = memory.work();
  if (!memories.from_pipe) memories.options.held_bytes = held_bytes;  // of a pipe, all pages are held already
  for (MemorySet* set : memories.children()) {
    PiecesSearch search{*this, memories, *set};
    use.add(set->checkpoint);
    for (const MemoryId one : in_order(set->checkpoint, set->memories))
      if (search.run(one) == Step::stop) return Step::stop;
  }
  return search_unlinked(memory);
}

}  // namespace critpipe
