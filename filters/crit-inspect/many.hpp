// Many checkpoints: a table of them.
#pragma once

#include "cli/filter.hpp"
#include "critpipe/inspect.hpp"

namespace critpipe::filters {

// Reads the groups on several threads, and prints a table in their order or as --sort says.
void print_many(Program& program, Output& output, std::span<const InputGroup> groups, const InspectOptions& options);

}  // namespace critpipe::filters
