// The bytes at addresses, from any input.
//
// Of a directory they are read by position, also from parents. An archive or stream in a file is read twice: first to
// see where the bytes are. From a pipe, pages that may be wanted are held in memory until that is known.
#pragma once

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

struct Request {
  SurveyedSet* set = nullptr;
  const Task* task = nullptr;
  std::uint64_t begin = 0, end = 0;
};

class Fetch {
 public:
  // Reads the inputs, but for pages that are found when they are asked for.
  explicit Fetch(Program& program);
  ~Fetch();

  Surveyed& surveyed() { return *surveyed_; }
  // Sees what is where. False: something is not there, and has been reported. Holes are zeros where that is allowed.
  bool locate(const Request& request, bool holes_are_zero);
  // Hands on the bytes of all requests that were located, one after the other.
  using Take = std::function<Step(std::size_t request, Bytes bytes)>;
  Step run(const Take& take);

 private:
  struct Part;
  class Held;
  class Assembly;
  Step by_position(const Part& part, const Take& take);  // of a directory, and zeros
  Step from_stream(const Take& take);
  void report_missing(const Request& request, const Stretch& stretch);

  Program& program_;
  Progress progress_;
  std::uint64_t held_limit_;
  bool is_pipe_;
  std::unique_ptr<Surveyed> surveyed_;
  std::vector<Part> parts_;
  std::size_t nr_requests_ = 0;
  std::uint64_t held_bytes_ = 0;
  bool over_limit_ = false;
  std::map<std::pair<const SurveyedSet*, std::uint64_t>, std::vector<std::byte>> held_;
};

// The processes that --pid names; without it the only one, or all where several are allowed. Reports none.
struct Process {
  SurveyedSet* set;
  const Task* task;
};
std::vector<Process> chosen_processes(Program& program, Surveyed& surveyed, bool several);

}  // namespace critpipe::filters
