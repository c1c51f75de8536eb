// --summary, --contents: how much memory there is, of what kind, and what it holds.
#include "crit-pages/summary.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    {'s', "summary", nullptr, "Count pages and runs of each process and shared object (this is the default)."},
    {'c', "contents", nullptr, "Read the pages too: zero, duplicate, distinct; what they look like and compress to."},
};
constexpr const char* takes[] = {"json", "memory", "jobs", "output"};

int run(Program& program) {
  const bool contents = program.has("contents");
  if (!contents) program.refuse({"jobs", "memory"}, "means nothing without --contents");
  Destination destination{program, Destination::Content::text};
  SurveyedInputs surveyed{program, {.places = contents, .contents = contents, .names = false}};
  if (surveyed.has_failed()) return program.exit_code();
  if (program.has("json")) {
    JsonWriter json{destination.output(), true, big_numbers_of(program)};
    print_json_summary(surveyed.sets(), surveyed.survey(), contents, json);
  } else {
    print_text_summary(surveyed.sets(), surveyed.survey(), contents, destination.output());
  }
  return destination.commit();
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 10}};

}  // namespace

}  // namespace critpipe::filters
