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
  Options options;                     // of its own; the first `nr_choosing` choose it, the others only go with it
  std::span<const char* const> takes;  // options of other modes, and shared ones but --pid, --page-size and inputs'
  int (*run)(Program& program);
  int order;  // where it stands in --help; the first is what runs without an option
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

// A pid has 32 bits; the number of a shared object has 64, and is one of the big numbers.
inline JsonWriter& put_number(JsonWriter& json, MemoryId id) {
  return id.shmem ? json.number(id.id) : json.number(static_cast<std::uint32_t>(id.id));
}

// The processes and shared objects of --pid; all without it.
class Chosen {
 public:
  explicit Chosen(Program& program);
  bool operator()(MemoryId memory) const;
  bool all() const { return pids_.empty(); }
  // A pid that was given and is not known is an error.
  void report_missing(Program& program, const std::function<bool(std::uint32_t pid)>& is_known) const;

 private:
  std::vector<std::uint32_t> pids_;
};

// What a mode needs of a survey.
struct SurveyNeeds {
  bool runs = false;      // kept
  bool places = true;     // where pages are stored
  bool contents = false;  // pages are read
  bool facts = false;     // and what is known of each is kept
  bool shared = false;    // shared objects even with --pid: the processes map them
  bool parents = false;   // pages that are in a parent are asked for, too: it must have them
  bool names = true;      // of mappings
  bool blocks = false;    // compressed pages are decoded
  bool whole = true;      // an image that is asked for and not there is an error
  std::function<Step(const SurveyedMemory&, std::span<const PageRun>)> on_runs = {};
  std::function<void(const Error&)> report = {};  // in place of the usual one
};

// The survey of the command line's inputs, with its options. Its errors are reported, and a --pid that is not there is
// one, as is a set without pagemaps. Holds what --pid leaves, and with `shared` the shared objects: chosen() tells them
// apart.
class SurveyedInputs {
 public:
  SurveyedInputs(Program& program, const SurveyNeeds& needs);
  std::vector<std::unique_ptr<SurveyedSet>>& sets() { return *sets_; }
  bool several() const { return sets_->size() > 1; }
  bool has_failed() const;  // and there is nothing to be shown: no memory that --pid and the others leave
  bool chosen(MemoryId memory) const { return chosen_(memory); }
  const PageSurvey& survey() const { return survey_; }
  unsigned nr_threads() const { return options_.nr_threads; }
  // The runs of a memory; what is wrong with its image is reported.
  const Pagemap* pagemap(SurveyedSet& set, MemoryId memory);

 private:
  void read_parents(Program& program);
  void report_without_pages(Program& program);
  void report_missing(const SurveyNeeds& needs);
  void report_parents(SurveyedSet& set);

  Program& program_;
  bool has_errors_ = false;
  std::function<void(const Error&)> report_;
  Chosen chosen_;
  Selection selection_;
  Progress progress_;
  SurveyOptions options_;
  PageSurvey survey_;
  std::vector<std::unique_ptr<SurveyedSet>>* sets_;
  std::vector<std::unique_ptr<PageSurvey>> parents_;
};

// The memory of the processes of --pid, in the inputs of the command line; what is wrong with it is reported, by the
// program or as `report` says. Requires: the selection outlives it.
struct MemoryNeeds {
  bool comms = false;  // what processes are called
  CheckpointMemory::OnError report = {};
  MemoryOptions::Content content = MemoryOptions::Content::all;
};
CheckpointMemory memory_of(Program& program, Selection& selection, MemoryNeeds needs);
// False: there is none, which is reported.
bool has_processes(Program& program, const Selection& selection, const CheckpointMemory& memory);
bool has_several_sets(std::span<const Process> processes);
Absent absent_of(Program& program);  // --holes

// Shared objects and the processes that map them, in order.
struct Use {
  const Mapping* mapping = nullptr;  // the first
  std::vector<std::uint32_t> pids = {};
};
using Users = std::map<MemoryId, Use>;
Users users_of(const Checkpoint& checkpoint);

std::string flags_text(std::uint32_t flags);                                    // "present,lazy"
std::string memory_text(const SurveyedSet& set, const SurveyedMemory& memory);  // "66 maps01", "shmem 8940"
const Task* task_of(const SurveyedSet& set, MemoryId memory);
// Its name, if an image says one.
inline void put_comm(JsonWriter& json, const Task* task) {
  if (task && (task->state != TaskState::unknown || !task->comm.empty())) put_name(json, "comm", task->comm);
}
void print_mapping(JsonWriter& json, const Checkpoint& checkpoint, const Mapping* mapping);  // an object, or null
std::string mapping_text(const Checkpoint& checkpoint, const Mapping& mapping);  // "r-xp /usr/lib/libc.so.6"

}  // namespace critpipe::filters
