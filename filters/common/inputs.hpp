// The inputs of a command line: which names are wanted, and what goes wrong is reported.
#pragma once

#include "common/filter.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

Limits limits_of(Program& program);                              // --max-entry

// Does the name fit --only and --except?
bool wanted(const Program& program, std::string_view name);

// Reads all inputs in order. With several sets, names get the input's name before them.
Step read_inputs(Program& program, Receiver& receiver);

}  // namespace critpipe
