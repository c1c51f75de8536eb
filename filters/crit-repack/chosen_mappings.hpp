// Which mappings keep their pages: --only-pages and --drop.
#pragma once

#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "cli/filter.hpp"
#include "critpipe/match.hpp"
#include "critpipe/memory.hpp"

namespace critpipe::filters {

// Expressions over each vma_entry, as it is in its image. Of several, any that fits a mapping keeps it or drops it.
class ChosenMappings {
 public:
  explicit ChosenMappings(Program& program);
  ~ChosenMappings();
  bool leaves_out_any() const { return !tests_.empty(); }
  std::vector<std::string_view> kinds() const;  // whose messages the checkpoint must have
  // Before begin(). An expression that fits no mapping of these tasks is an error: what it was to name is not there.
  [[nodiscard]] Error choose_of(const Checkpoint& checkpoint);
  // Before keeps() of this memory. `mappings` are those of the process; both must live on.
  void begin(const Checkpoint& checkpoint, MemoryId memory, const MappingIndex& mappings);
  // Is the page at this address kept? `end`: up to where the answer is the same.
  bool keeps(std::uint64_t vaddr, std::uint64_t& end);

 private:
  class Test;
  struct Part {
    std::uint64_t begin, end;
    const Mapping* mapping;
  };
  std::vector<std::unique_ptr<Test>> tests_;
  const MappingIndex* mappings_ = nullptr;
  bool is_shared_ = false;
  std::vector<Part> parts_;  // of a shared object: what maps it
  std::set<const Mapping*> left_out_;
};

}  // namespace critpipe::filters
