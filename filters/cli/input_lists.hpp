// Inputs that are not named one by one: --files-from LIST, and --recursive.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/filter.hpp"

namespace critpipe::filters {

// The arguments with the inputs of --files-from behind them, and with -r each directory replaced by the checkpoints in
// it and below, in natural order; the current directory where no input is named. Links are not followed. Arguments that
// are no inputs, as the filter's row says, stay. A list that cannot be read or names nothing ends the program, and so
// does a directory without a checkpoint.
std::vector<std::string> listed_inputs(const Filter& filter, Program& program);

// c1.tar, c1.tar.zst, c1.tgz: what tar, podman and crit-cat call their archives.
bool is_archive_name(std::string_view name);

}  // namespace critpipe::filters
