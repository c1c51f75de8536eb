// What the parts of a MemorySearch share. Internal.
#pragma once

#include "search/searched_memory.hpp"

namespace critpipe {

struct MemorySearch::Work {
  const Patterns& patterns;
  MemorySearchOptions options;
  Report report;
  Fault fault;

  Step search_directory(const std::string& path);
  // Where the search itself failed, and not a match stopped it.
  void report_failure(const Search& search, const std::string& place) const;
  Step search_inputs(const std::vector<std::string>& inputs, const SourceOptions& source_options);
};

}  // namespace critpipe
