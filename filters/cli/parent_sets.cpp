#include "cli/parent_sets.hpp"

#include <algorithm>

#include "critpipe/set.hpp"

namespace critpipe::filters {

std::vector<ParentSet> parents_of(const std::string& directory, Error& error) {
  std::vector<ParentSet> parents;
  Error none;  // what is wrong with the directory itself is said by who reads it
  std::unique_ptr<ImageSet> set = ImageSet::open_input(directory, none);
  for (std::string prefix = "parent/"; set && (set = set->parent(error)); prefix += "parent/")
    parents.push_back({set->place(), prefix});
  return parents;
}

bool is_parent_link(const Member& member) { return !member.is_image && member.name == "parent"; }

bool can_read_again(Program& program) {
  const SourceOptions options{.stdin_offset = stdin_offset()};
  return std::ranges::all_of(program.inputs(),
                             [&](const std::string& input) { return critpipe::can_read_again(input, options); });
}

const Member& Prefixed::called(const Member& member) {
  if (member_.id != member.id || member_.place.empty()) {
    member_ = member;
    member_.path.insert(0, prefix_);
  }
  member_.size = member.size;
  member_.packed = member.packed;
  member_.fd = member.fd;
  return member_;
}

}  // namespace critpipe::filters
