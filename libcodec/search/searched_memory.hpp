// Which memory is searched, and whose it is. Internal.
#pragma once

#include "critpipe/checkpoint.hpp"
#include "critpipe/search.hpp"

namespace critpipe::search {

using Ranges = std::vector<MemoryFilter::Range>;

// Mappings of a task, as far as they have been read: the checkpoint need not be finished.
std::span<const Mapping> mappings_of(const Checkpoint& checkpoint, const Task& task);
// Has all been read that says what is mapped there, and what these mappings are called?
using IsRead = std::function<bool(const std::string& name)>;  // has the image come to its end?
bool is_told(const Checkpoint& checkpoint, MemoryId memory, const IsRead& is_read);

// One checkpoint, as a search sees it. Requires: it is finished, or what is asked about is told.
class Places {
 public:
  Places(SetId set, const Checkpoint& checkpoint, const MemorySearchOptions& options)
      : set_{std::move(set)}, checkpoint_{checkpoint}, filter_{options.filter} {}

  // Addresses of that memory which are to be searched: ascending, apart.
  Ranges wanted(MemoryId memory);
  // Who has the match, each for itself.
  Step report(MemoryId memory, const Found& found, const MemorySearch::Report& report);

 private:
  struct Owner {
    std::uint32_t pid;
    const Mapping* mapping;
  };
  bool fits(const Mapping& mapping) const;
  bool wants_pid(std::uint32_t pid) const;
  bool has_mapping_filter() const { return !filter_.areas.empty() || !filter_.protection.empty(); }
  const std::vector<Owner>& owners_of(MemoryId memory);
  const Mapping* mapping_at(MemoryId memory, std::uint64_t address);

  SetId set_;
  const Checkpoint& checkpoint_;
  const MemoryFilter& filter_;
  std::optional<MemoryId> known_;  // of which owners_ are
  std::vector<Owner> owners_;      // of a process: its mappings, ascending; of shared memory: who maps it
};

// The present runs of a pagemap as parts, in the order of the image, and of them what is wanted.
std::vector<PlacedBytes> parts_of(const Pagemap& pagemap, std::uint64_t page_size, const Ranges& wanted);

// Feeds a search with an image's bytes, cut into stretches.
class Feeder {
 public:
  explicit Feeder(Search& search) : search_{search} {}
  // Bytes at that place of an image; they belong to this address. Adjacent ones go on with the stretch.
  Step feed(std::uint64_t address, Bytes bytes);
  Step end();

 private:
  Search& search_;
  bool open_ = false;
  std::uint64_t next_ = 0;  // address
};

}  // namespace critpipe::search
