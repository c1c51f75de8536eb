// What the parts of crit-pages share: one mode a file.
#pragma once

#include <string>

#include "cli/filter.hpp"
#include "cli/inputs.hpp"
#include "cli/progress.hpp"
#include "critpipe/json.hpp"
#include "critpipe/page_survey.hpp"

namespace critpipe::filters {

int summary(Program& program);
int list(Program& program);
int sum_by(Program& program);
int extract(Program& program);
int process_texts(Program& program);
int difference(Program& program);
int check_pages(Program& program);
int draw_map(Program& program);
int write_html(Program& program);

// Options of the command line for a survey; the mode adds what it needs.
SurveyOptions survey_options(Program& program, Progress& progress);

// A survey whose errors are reported. Views end with it.
class Surveyed {
 public:
  using Report = std::function<void(const Error&)>;
  Surveyed(Program& program, const SurveyOptions& options) : Surveyed{program, options, program.inputs()} {}
  Surveyed(Program& program, SurveyOptions options, std::vector<std::string> inputs, Report report = {});
  std::vector<std::unique_ptr<SurveyedSet>>& sets() { return *sets_; }
  const PageSurvey& survey() const { return survey_; }
  // The runs of a memory; what is wrong with its image is reported.
  const Pagemap* pagemap(SurveyedSet& set, MemoryId memory);

 private:
  Report report_;
  PageSurvey survey_;
  std::vector<std::unique_ptr<SurveyedSet>>* sets_;
  std::map<const SurveyedSet*, std::size_t> reported_;
};

// The processes and shared objects of --pid; all without it.
class Chosen {
 public:
  explicit Chosen(Program& program);
  bool operator()(MemoryId memory) const;

 private:
  std::vector<std::uint32_t> pids_;
};

// Shared objects and the processes that map them, in order.
struct Use {
  const Mapping* mapping = nullptr;  // the first
  std::vector<std::uint32_t> pids = {};
};
using Users = std::map<MemoryId, Use>;
Users users_of(const Checkpoint& checkpoint);

[[gnu::format(printf, 1, 2)]] std::string formatted(const char* form, ...);
std::string flags_text(std::uint32_t flags);                                    // "present,lazy"
std::string memory_text(const SurveyedSet& set, const SurveyedMemory& memory);  // "66 maps01", "shmem 8940"
const Task* task_of(const SurveyedSet& set, MemoryId memory);
void print_mapping(JsonWriter& json, const Checkpoint& checkpoint, const Mapping* mapping);  // an object, or null
std::string mapping_text(const Checkpoint& checkpoint, const Mapping& mapping);  // "r-xp /usr/lib/libc.so.6"

}  // namespace critpipe::filters
