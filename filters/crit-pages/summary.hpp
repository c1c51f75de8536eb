// The two forms of a summary.
#pragma once

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

using SurveyedSets = std::vector<std::unique_ptr<SurveyedSet>>;
void print_json_summary(const SurveyedSets& sets, const PageSurvey& survey, bool contents, JsonWriter& json);
void print_text_summary(const SurveyedSets& sets, const PageSurvey& survey, bool contents, Output& output);

}  // namespace critpipe::filters
