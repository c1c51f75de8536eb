// What pages hold, by address, to compare two checkpoints.
#pragma once

#include <set>
#include <unordered_map>

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

// Facts of the pages of a set, parents included.
class Contents {
 public:
  explicit Contents(Program& program, SurveyedSet& set, unsigned nr_threads)
      : program_{program}, set_{set}, nr_threads_{nr_threads} {}

  struct StoredRun {
    std::uint64_t vaddr = 0;
    std::uint64_t nr_pages = 0;
    std::uint64_t page = 0;            // in the image of facts
    const PageFacts* facts = nullptr;  // of all its pages; null: they are somewhere, but not here
  };
  // What is stored of a memory, in ascending order.
  std::vector<StoredRun> runs(MemoryId memory);
  // Nothing: no run, or its pages are not here.
  std::optional<PageFact> fact(const StoredRun* run, std::uint64_t vaddr) const;
  SurveyedSet& set() { return set_; }

 private:
  const PageFacts* facts_of(const Stretch& stretch);
  const PagesImage* pages_of(const Stretch& stretch, Error& error);  // of a parent that a link leads to
  void report_cut(const Stretch& stretch);

  Program& program_;
  SurveyedSet& set_;
  unsigned nr_threads_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, PageFacts> parents_;  // level, pages_id
  std::set<std::pair<std::uint32_t, std::uint64_t>> reported_;
};

struct DifferenceCounts {
  std::uint64_t same = 0, changed = 0, added = 0, gone = 0, moved = 0, unknown = 0;
  bool differ() const { return changed + added + gone + moved > 0; }
  void add(const DifferenceCounts& other);
};

// Compares one memory. `count` gets all pages that are there on a side: whether the mapping is to be looked up in the
// second set, their address, and the counter that is to go up.
using Counter = std::uint64_t DifferenceCounts::*;
using CountPages = std::function<void(bool in_second, std::uint64_t vaddr, std::uint64_t nr_pages, Counter counter)>;
void compare(Contents& first, Contents& second, MemoryId memory, const CountPages& count);

}  // namespace critpipe::filters
