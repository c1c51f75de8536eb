// Which mappings keep their pages: --only-pages and --drop.
#pragma once

#include <map>
#include <memory>

#include "cli/filter.hpp"
#include "critpipe/match.hpp"
#include "critpipe/memory.hpp"

namespace critpipe::filters {

// Expressions over vma_entry, as in crit-grep of an image vmas-PID.
class ChosenMappings {
 public:
  explicit ChosenMappings(Program& program);
  ~ChosenMappings();
  bool leaves_out_any() const { return only_ || drop_; }
  // Before keeps() of this memory. `mappings` are those of the process; both must live on.
  void begin(const Checkpoint& checkpoint, MemoryId memory, const MappingIndex& mappings);
  // Is the page at this address kept? `end`: up to where the answer is the same.
  bool keeps(std::uint64_t vaddr, std::uint64_t& end);
  // Says which field no mapping has.
  void report(Program& program) const;

 private:
  class Test;
  struct Part {
    std::uint64_t begin, end;
    const Mapping* mapping;
  };
  bool is_kept(const Mapping& mapping);

  std::unique_ptr<Test> only_, drop_;
  const MappingIndex* mappings_ = nullptr;
  bool is_shared_ = false;
  std::vector<Part> parts_;  // of a shared object: what maps it
  std::map<const Mapping*, bool> known_;
};

}  // namespace critpipe::filters
