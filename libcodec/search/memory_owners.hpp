// Which memory is searched, and who owns it. Internal.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "critpipe/checkpoint.hpp"
#include "critpipe/search.hpp"
#include "search/fed_search.hpp"

namespace critpipe::search {

using Ranges = std::vector<MemoryFilter::Range>;

// Mappings of a task, as far as they have been read: the checkpoint need not be finished.
std::span<const Mapping> mappings_of(const Checkpoint& checkpoint, const Task& task);
// Have all images been read that say what is mapped in that memory, and how its mappings are named?
using IsRead = std::function<bool(const std::string& name)>;  // was that image read to its end?
bool is_told(const Checkpoint& checkpoint, MemoryId memory, const IsRead& is_read);

// Those of tasks in the order of their tree, then what belongs to none, then shared memory.
std::vector<MemoryId> in_order(const Checkpoint& checkpoint, std::set<MemoryId> memories);

// Does the mapping fit an element of MemoryFilter::areas, MemoryFilter::protection?
bool fits_area(std::string_view area, const Mapping& mapping, const Checkpoint& checkpoint);
bool fits_protection(std::string_view wanted, const Mapping& mapping);

// What is mapped, and by whom.
struct Owner {
  std::uint32_t pid;
  Mapping mapping;  // as the finished checkpoint has it
};

// Who maps the shared objects of one checkpoint: its mappings are walked once, for all of them.
class SharedOwners {
 public:
  // Requires: the checkpoint is always the same one, and finished, or is_told() holds for shared memory.
  const std::vector<Owner>& of(const Checkpoint& checkpoint, MemoryId memory);

 private:
  bool is_known_ = false;
  std::map<MemoryId, std::vector<Owner>> owners_;
};

// The owners of memory in one checkpoint. Requires: it is finished, or is_told() holds for the memory asked about.
class MemoryOwners {
 public:
  // `shared`: what several of them have in common.
  MemoryOwners(SetId set, const Checkpoint& checkpoint, const MemorySearchOptions& options,
               std::shared_ptr<SharedOwners> shared = std::make_shared<SharedOwners>())
      : set_{std::move(set)}, checkpoint_{checkpoint}, filter_{options.filter}, shared_{std::move(shared)} {}

  // The addresses of that memory that the filter wants: ascending and disjoint.
  Ranges wanted(MemoryId memory);
  // Reports the match once for each process that maps it.
  Step report(MemoryId memory, const Match& found, const MemorySearch::OnMatch& on_match);

 private:
  bool fits(const Mapping& mapping) const;
  bool wants_pid(std::uint32_t pid) const;
  bool has_mapping_filter() const { return !filter_.areas.empty() || !filter_.protection.empty(); }
  const std::vector<Owner>& owners_of(MemoryId memory);
  const Mapping* mapping_at(MemoryId memory, std::uint64_t address);

  SetId set_;
  const Checkpoint& checkpoint_;
  const MemoryFilter& filter_;
  std::shared_ptr<SharedOwners> shared_;
  std::optional<std::uint64_t> known_;  // the process whose mappings own_ are
  std::vector<Owner> own_;              // ascending
};

// The wanted part of a pagemap's present runs, in the order of the image. What is adjacent, in the image and in memory,
// is one.
std::vector<PlacedBytes> stored_extents(const Pagemap& pagemap, std::uint64_t page_size, const Ranges& wanted);

// Feeds a search with bytes by address, and ends a stretch where there is a gap.
class Feeder {
 public:
  explicit Feeder(FedSearch& search) : search_{search} {}
  Step feed(std::uint64_t address, Bytes bytes);
  // What FedSearch::read() was told of.
  Step feed_read(std::uint64_t address, std::size_t size);
  // A hole: what no match can reach is passed over.
  Step feed_zeros(std::uint64_t address, std::uint64_t size);
  Step end();
  FedSearch& search() { return search_; }

 private:
  Step go_to(std::uint64_t address, std::uint64_t size);

  FedSearch& search_;
  bool open_ = false;
  std::uint64_t next_ = 0;  // address
};

}  // namespace critpipe::search
