// What the sources of a MemorySearch share. Internal.
#pragma once

#include "search/filter_use.hpp"

namespace critpipe {

struct MemorySearch::Work {
  const Patterns& patterns;
  MemorySearchOptions options;
  OnMatch on_match;
  OnError on_error;
  search::FilterUse use{options.filter};

  Step search_directory(const std::string& path, const SourceOptions& source_options);
  // What follows a search that has stopped: a failure of the engine is reported and ends no other search; a caller who
  // wants no more matches ends all.
  Step step_behind(const Search& search, const std::string& place) const;
  Step search_with_parents(const std::vector<std::string>& inputs, const std::vector<std::string>& parents,
                           const SourceOptions& source_options);
  Step search_inputs(const std::vector<std::string>& inputs, const SourceOptions& source_options);
};

}  // namespace critpipe
