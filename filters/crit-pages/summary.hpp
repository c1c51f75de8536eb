// The two forms of a summary.
#pragma once

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

// Bytes of the pages that were read, but for holes.
inline std::uint64_t stored_bytes(const SurveyedSet& set) {
  return bytes_of_pages(set.contents.scanned, set.page_size) - bytes_of_pages(set.contents.holes, smallest_page);
}

using SurveyedSets = std::vector<std::unique_ptr<SurveyedSet>>;
void print_json_summary(const SurveyedSets& sets, const PageSurvey& survey, bool contents, JsonWriter& json);
void print_text_summary(const SurveyedSets& sets, const PageSurvey& survey, bool contents, Output& output);

}  // namespace critpipe::filters
