// What the sources of a MemorySearch share. Internal.
#pragma once

#include <set>

#include "critpipe/memory.hpp"
#include "critpipe/survey.hpp"
#include "search/filter_use.hpp"
#include "search/memory_owners.hpp"

namespace critpipe {

// Does any task map one where the filter of these options leaves it?
bool maps_unlinked(const Checkpoint& checkpoint, const SetId& set, const MemorySearchOptions& options);

// How stored pages of one memory come to a search.
class StoredReader {
 public:
  virtual ~StoredReader() = default;
  // The addresses [begin, end) of a stretch that is stored; ascending.
  virtual Step take(const Stretch& stretch, std::uint64_t begin, std::uint64_t end, search::Feeder& feeder) = 0;
  virtual Step finish(search::Feeder& feeder) = 0;  // there are no more
};

// One memory of a set, wherever its pages are.
struct StoredMemory {
  PageStore& store;
  MemoryId id;
  std::uint64_t page_size;
  search::MemoryOwners& owners;
  const std::string& place;  // for messages
};

struct MemorySearch::Work {
  const Patterns& patterns;
  MemorySearchOptions options;
  OnMatch on_match;
  OnError on_error;
  search::FilterUse use{options.filter};

  std::unique_ptr<search::FedSearch> new_search(std::size_t context, Search::OnMatch on_found) {
    return search::make_search(patterns, context, options.nr_threads, std::move(on_found),
                               [this](const Error& error) { report_once(error); });
  }

  // An image that cannot be read is named once, however many pages of it are wanted.
  void report_once(const Error& error);
  std::set<std::pair<Reason, std::string>> reported = {};  // errors, and their images

  // Pages that are not in the images.
  void report_lazy(const std::string& place, std::uint64_t nr_pages);
  Step search_stored(const StoredMemory& memory, StoredReader& reader);
  Step search_directory(const std::string& path, const SourceOptions& source_options);
  // Was the page size found by images, which may be wrong? Pages that are larger are searched in part.
  bool may_have_larger_pages(const Checkpoint& checkpoint) const;
  void report_larger_pages(SurveyedSet& set, MemoryId memory, search::MemoryOwners& owners);
  // What follows a search that has stopped: a failure of the engine is reported and ends no other search; a caller who
  // wants no more matches ends all.
  Step step_behind(const search::FedSearch& search, const std::string& place) const;
  Step search_with_parents(const std::vector<std::string>& inputs, const std::vector<std::string>& parents,
                           const SourceOptions& source_options);
  // Of sets whose parents are in the same inputs: the memory that has pages in them.
  Step search_joined(const std::vector<std::string>& inputs, const SourceOptions& source_options);
  Step search_sets(CheckpointMemory& memory, const std::function<bool(const Pagemap*)>& wanted);
  // Images that the set of this place lacks, as far as the filter and the matches need them.
  void report_missing(const Checkpoint& checkpoint, const std::string& place,
                      const std::function<bool(MemoryId)>& has_pagemap);
  // Unlinked files that are mapped: their bytes are in images of their own, not among pages.
  Step search_unlinked(const std::vector<std::string>& inputs, const SourceOptions& source_options);
  Step search_unlinked(CheckpointMemory& memory);
  Step search_inputs(const std::vector<std::string>& inputs, const SourceOptions& source_options);
};

}  // namespace critpipe
