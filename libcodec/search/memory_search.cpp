#include "critpipe/search.hpp"

#include "search/memory_search_work.hpp"

namespace critpipe {

MemorySearch::MemorySearch(const Patterns& patterns, MemorySearchOptions options, OnMatch on_match, OnError on_error)
    : work_{new Work{patterns, std::move(options), std::move(on_match), std::move(on_error)}} {}
MemorySearch::~MemorySearch() = default;

Step MemorySearch::directory(const std::string& path, const SourceOptions& options) {
  return work_->search_directory(path, options);
}

Step MemorySearch::inputs(const std::vector<std::string>& inputs, const SourceOptions& options) {
  return work_->search_inputs(inputs, options);
}

Step MemorySearch::with_parents(const std::vector<std::string>& inputs, const std::vector<std::string>& parents,
                                const SourceOptions& options) {
  return work_->search_with_parents(inputs, parents, options);
}
std::vector<Error> MemorySearch::unmatched() const { return work_->use.unmatched(); }

}  // namespace critpipe
