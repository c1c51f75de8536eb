// --summary, --contents: how much memory there is, of what kind, and what it holds.
#include "crit-pages/summary.hpp"

namespace critpipe {

Users users_of(const Checkpoint& checkpoint) {
  Users users;
  for (const Task& task : checkpoint.tasks())
    for (const Mapping& mapping : task.memory.mappings)
      if (const auto object = shared_object(checkpoint, mapping)) {
        auto& pids = users[*object];
        if (pids.empty() || pids.back() != task.pid) pids.push_back(task.pid);
      }
  return users;
}

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

}  // namespace critpipe
