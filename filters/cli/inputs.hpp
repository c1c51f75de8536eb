// The inputs of a command line: which names are wanted, and what goes wrong is reported.
#pragma once

#include "cli/filter.hpp"
#include "critpipe/source.hpp"

namespace critpipe::filters {

Limits limits_of(Program& program);                           // --max-entry
SourceOptions source_options(Program& program);               // --all, --max-size, --set
std::vector<std::uint32_t> pids_of(Program& program);         // --pid
std::optional<std::uint64_t> page_size_of(Program& program);  // --page-size

// Does the path, or an end of it that begins behind a slash, fit --only and --except?
bool wanted(const Program& program, std::string_view path);
bool has_selection(const Program& program);  // is there any --only or --except?
bool selects_one(const Program& program);    // one --only that is a name, of one input

// How many members of the only input --only and --except leave, where that is a directory; else unknown.
std::uint64_t count_wanted(Program& program, const SourceOptions& options);

// Passes on what is wanted and remembers whether anything was.
class Selected final : public Receiver {
 public:
  Selected(const Program& program, Receiver& receiver) : program_{program}, receiver_{receiver} {}
  bool any() const { return any_; }

  bool wants(std::string_view path) override { return wanted(program_, path) && receiver_.wants(path); }
  bool wants_alone(std::string_view path) override { return wanted(program_, path) && receiver_.wants_alone(path); }
  Step begin(const Member& member) override {
    any_ = true;
    return receiver_.begin(member);
  }
  std::uint64_t take_file(const Member& member) override { return receiver_.take_file(member); }
  bool needs_bytes(const Member& member) override { return receiver_.needs_bytes(member); }
  Step bytes(const Member& member, Bytes bytes) override { return receiver_.bytes(member, bytes); }
  Step end(const Member& member) override { return receiver_.end(member); }
  bool has_enough(const Member& member) override { return receiver_.has_enough(member); }
  void fail(const Member* member, const Error& error) override { receiver_.fail(member, error); }

 private:
  const Program& program_;
  Receiver& receiver_;
  bool any_ = false;
};

// Reads all inputs in order. Sets the exit code to 1 where a selection leaves nothing.
Step read_inputs(Program& program, Receiver& receiver);
Step read_inputs(Program& program, Receiver& receiver, const SourceOptions& options);

}  // namespace critpipe::filters
