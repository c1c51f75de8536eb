// Many checkpoints: which inputs there are, and a table of them.
#pragma once

#include "cli/filter.hpp"
#include "critpipe/inspect.hpp"

namespace critpipe::filters {

// The inputs, where a directory that is no checkpoint itself stands for the checkpoints in it: archives, and
// directories of images.
std::vector<std::string> inspected_inputs(Program& program);

// Reads them on several threads, and prints a table in the order of the inputs or as --sort says.
void print_many(Program& program, Output& output, const std::vector<std::string>& inputs,
                const InspectOptions& options);

}  // namespace critpipe::filters
