// --summary, --contents: how much memory there is, of what kind, and what it holds.
#include "crit-pages/summary.hpp"

namespace critpipe::filters {

int summary(Program& program) {
  Destination destination{program, Destination::Content::text};
  Progress progress{program};
  SurveyOptions options = survey_options(program, progress);
  options.contents = program.has("contents");
  Surveyed surveyed{program, options};
  progress.clear();
  if (program.has("json")) {
    JsonWriter json{destination.output(), true};
    print_json_summary(surveyed.sets(), surveyed.survey(), options.contents, json);
  } else {
    print_text_summary(surveyed.sets(), surveyed.survey(), options.contents, destination.output());
  }
  return destination.commit();
}

}  // namespace critpipe::filters
