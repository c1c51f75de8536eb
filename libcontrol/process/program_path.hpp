// Programs, as PATH finds them.
#pragma once

#include <string>
#include <vector>

namespace critpipe {

// Where it may be, in the order in which Child tries them; itself if it has a slash.
std::vector<std::string> candidates_of(const std::string& program);
// The first of them that may be run; itself, if it has a slash; empty: it is nowhere.
std::string path_of_program(const std::string& program);
inline bool has_program(const std::string& name) { return !path_of_program(name).empty(); }

}  // namespace critpipe
