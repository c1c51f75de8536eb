#include "cli/parent_sets.hpp"

#include <sys/stat.h>

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
  for (const std::string& input : program.inputs()) {
    struct stat status;
    if (input == "-" && stdin_offset() == Member::unknown) return false;
    if (input != "-" && stat(input.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
      return false;
  }
  return true;
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
