// Inputs that are not named one by one: --files-from LIST, and --recursive.
#pragma once

#include <string>
#include <vector>

#include "cli/filter.hpp"

namespace critpipe::filters {

// The arguments with the inputs of --files-from behind them, and with -r each directory replaced by the checkpoints in
// it and below, in natural order; the current directory where no input is named. The directory of a container, with its
// images in checkpoint/ and an engine's files beside it, is one input. Links are not followed. Arguments that are no
// inputs, as the filter's row says, stay. A list that cannot be read or names nothing ends the program, and so does a
// directory without a checkpoint.
std::vector<std::string> listed_inputs(const Filter& filter, Program& program);

// What an input stands for where -r was not given: a directory that is no checkpoint itself for those in it, which are
// archives, and directories up to four levels below. Anything else, and a directory with none, for itself.
std::vector<std::string> checkpoints_near(Program& program, const std::string& directory);

}  // namespace critpipe::filters
