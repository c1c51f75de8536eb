// Many checkpoints: a table of them.
#pragma once

#include "cli/filter.hpp"
#include "critpipe/inspect.hpp"

namespace critpipe::filters {

// Reads the inputs on several threads, and prints a table in the order of the inputs or as --sort says.
void print_many(Program& program, Output& output, const std::vector<std::string>& inputs,
                const InspectOptions& options);

}  // namespace critpipe::filters
