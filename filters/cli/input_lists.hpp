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

// The program's inputs, without slashes at their ends. Where neither -r nor --set was given, a directory that is no
// checkpoint itself stands for those in it, which are archives, and directories up to four levels below.
std::vector<std::string> checkpoints_in(Program& program);

}  // namespace critpipe::filters
