// The two forms of a summary.
#pragma once

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

using SurveyedSets = std::vector<std::unique_ptr<SurveyedSet>>;
void print_json_summary(const SurveyedSets& sets, const PageSurvey& survey, bool contents, JsonWriter& json);
void print_text_summary(const SurveyedSets& sets, const PageSurvey& survey, bool contents, Output& output);

// The address behind a run.
inline std::uint64_t end_of(const PageRun& run, std::uint64_t page_size) {
  return run.vaddr + run.nr_pages * page_size;
}

}  // namespace critpipe::filters
