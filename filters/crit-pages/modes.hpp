// The modes of crit-pages: one a file, which holds its options, what else it takes and what it does.
//
//     // --sizes: runs by size.
//     constexpr Option options[] = {{0, "sizes", nullptr, "Count runs by size."}};
//     constexpr const char* takes[] = {"json", "output"};
//     int run(Program& program) {
//       Destination destination{program, Destination::Content::text};
//       SurveyedInputs surveyed{program, {.runs = true}};
//       ...
//       return destination.commit();
//     }
//     const Mode mode{{.options = options, .takes = takes, .run = run, .order = 95}};
//
// That is all: the command line, --help, the manual's OPTIONS and the completions follow from the row. An option that
// the chosen mode does not take is a usage error.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "cli/filter.hpp"
#include "cli/inputs.hpp"
#include "cli/progress.hpp"
#include "critpipe/json.hpp"
#include "critpipe/survey.hpp"

namespace critpipe::filters {

struct ModeRow {
  Options options;                      // of its own; the first `nr_choosing` choose it, the others only go with it
  std::span<const char* const> takes;   // options of other modes, and shared ones but --pid, --page-size and inputs'
  int (*run)(Program& program);
  int order;                            // where it stands in --help; the first is what runs without an option
  std::size_t nr_choosing = 1;
};

// Registers itself, so it must be a static object.
class Mode : public ModeRow {
 public:
  static constexpr std::size_t most = 32;
  using Row = ModeRow;
  Mode(const Row& row);
  Mode(const Mode&) = delete;
  Mode& operator=(const Mode&) = delete;
  static std::span<const Mode* const> all();  // in their order; after main() has begun
};

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
