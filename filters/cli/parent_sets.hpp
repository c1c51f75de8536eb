// The parents of a checkpoint directory, to be passed on with it.
#pragma once

#include <string>
#include <vector>

#include "cli/filter.hpp"
#include "critpipe/source.hpp"

namespace critpipe::filters {

struct ParentSet {
  std::string place;   // a directory
  std::string prefix;  // "parent/parent/"
};

// From the nearest on. Reasons: no_parent, bad_parents, limit_parents; those before it are there.
std::vector<ParentSet> parents_of(const std::string& directory, Error& error);

// Is the member the link of its set to the parent?
bool is_parent_link(const Member& member);

// Can all inputs be read more than once?
bool can_read_again(Program& program);

// Calls the members of an input as if they were below a directory.
class Prefixed final : public Receiver {
 public:
  Prefixed(Receiver& next, std::string prefix) : next_{next}, prefix_{std::move(prefix)} {}

  bool wants(const Member& member) override { return next_.wants(called(member)); }
  Step begin(const Member& member) override { return next_.begin(called(member)); }
  std::uint64_t take_file(const Member& member) override { return next_.take_file(called(member)); }
  bool needs_bytes(const Member& member) override { return next_.needs_bytes(called(member)); }
  Step bytes(const Member& member, Bytes bytes) override { return next_.bytes(called(member), bytes); }
  Step end(const Member& member) override { return next_.end(called(member)); }
  bool has_enough(const Member& member) override { return next_.has_enough(called(member)); }
  void fail(const Member* member, const Error& error) override {
    next_.fail(member ? &called(*member) : nullptr, error);
  }

 private:
  const Member& called(const Member& member);

  Receiver& next_;
  std::string prefix_;
  Member member_;
};

}  // namespace critpipe::filters
