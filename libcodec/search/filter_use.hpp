// What of a filter the searched checkpoints have. Internal.
#pragma once

#include <set>

#include "search/memory_owners.hpp"

namespace critpipe::search {

class FilterUse {
 public:
  explicit FilterUse(const MemoryFilter& filter) : filter_{filter} {}

  // Requires: the checkpoint is finished.
  void add(const Checkpoint& checkpoint);
  // A pagemap of the checkpoint; null: it cannot be read.
  void add(MemoryId memory, const Pagemap* pagemap, std::uint64_t page_size);
  void add_pages_image() { has_memory_ = true; }
  // A set without any pagemap and pages image.
  void add_without_memory(const SetId& set);
  // Something that the filter may leave was reported to be missing.
  void add_missing() { is_missing_ = true; }
  // Bytes that the filter leaves are stored.
  void add_stored() { has_stored_ = true; }

  // Elements of the filter that nothing fits, by what they are; or that nothing at all could be searched.
  std::vector<Error> unmatched() const;

 private:
  void add(const Mapping& mapping, const Checkpoint& checkpoint);
  void add(std::uint64_t begin, std::uint64_t end);

  const MemoryFilter& filter_;
  std::set<std::uint32_t> pids_;
  std::set<std::size_t> ranges_, areas_;  // their numbers in the filter
  bool protection_ = false;
  bool knows_mappings_ = false;
  bool has_memory_ = false;
  std::vector<Error> without_memory_;
  bool has_stored_ = false;
  bool is_missing_ = false;
};

}  // namespace critpipe::search
