// The inputs of a command line: which names are wanted, and what goes wrong is reported.
#pragma once

#include <atomic>
#include <deque>

#include "cli/filter.hpp"
#include "critpipe/json.hpp"
#include "critpipe/source.hpp"

namespace critpipe::filters {

Limits limits_of(Program& program);                           // --max-entry
SourceOptions source_options(Program& program);               // --all, --max-size, --set
std::vector<std::uint32_t> pids_of(Program& program);         // --pid
std::optional<std::uint64_t> page_size_of(Program& program);  // --page-size
// --jobs or --threads: from 1 on, and never more than 64 are started. Without it one a processor, `usual` at most.
unsigned threads_of(Program& program, const char* option, unsigned usual = 64);
BigNumbers big_numbers_of(Program& program);  // --big-numbers

bool has_selection(const Program& program);  // is there any --only or --except?
bool selects_one(const Program& program);    // one --only that is a name, of one input

// How many members of the only input --only and --except leave, where that is a directory; else unknown.
std::uint64_t count_wanted(Program& program, const SourceOptions& options);

// What --only and --except leave. Any number of threads may ask at once.
class Selection {
 public:
  explicit Selection(const Program& program);
  // Does the path, or an end of it that begins behind a slash, fit?
  bool leaves(std::string_view path);
  // Does --except take it out?
  bool takes_out(std::string_view path) const;
  // When all inputs were read: a GLOB of --only that fits nothing is an error, and so is it if nothing was left.
  // `any`: was anything read?
  void report_missing(Program& program, bool any) const;

 private:
  struct Only {
    std::string glob;
    std::atomic<bool> fits = false;
  };
  std::deque<Only> only_;
  std::vector<std::string> except_;
};

// Passes on what is wanted and remembers whether anything was.
class Selected final : public Receiver {
 public:
  // The links of sets to their parents: as any other member, or for the receiver to choose.
  enum class Links : std::uint8_t { selected, handed_on };
  Selected(Selection& selection, Receiver& receiver, Links links = Links::selected)
      : selection_{selection}, receiver_{receiver}, links_{links} {}
  bool any() const { return any_; }

  bool wants(const Member& member) override {
    const bool is_link = links_ == Links::handed_on && member.in_set && member.name == "parent";
    const bool is_left = selection_.leaves(member.path) || (is_link && !selection_.takes_out(member.path));
    return is_left && receiver_.wants(member);
  }
  Step begin(const Member& member) override {
    any_ = true;
    return receiver_.begin(member);
  }
  std::uint64_t take_file(const Member& member) override { return receiver_.take_file(member); }
  bool needs_bytes(const Member& member) override { return receiver_.needs_bytes(member); }
  Run take_run(const Member& member, ByteReader& reader) override { return receiver_.take_run(member, reader); }
  Step bytes(const Member& member, Bytes bytes) override { return receiver_.bytes(member, bytes); }
  Step end(const Member& member) override { return receiver_.end(member); }
  bool has_enough(const Member& member) override { return receiver_.has_enough(member); }
  void fail(const Member* member, const Error& error) override { receiver_.fail(member, error); }

 private:
  Selection& selection_;
  Receiver& receiver_;
  Links links_;
  bool any_ = false;
};

// Reads all inputs in order. A selection that leaves nothing is an error.
Step read_inputs(Program& program, Receiver& receiver);
Step read_inputs(Program& program, Receiver& receiver, const SourceOptions& options);

}  // namespace critpipe::filters
