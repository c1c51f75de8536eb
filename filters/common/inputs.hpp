// The inputs of a command line: which names are wanted, and what goes wrong is reported.
#pragma once

#include "common/filter.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

Limits limits_of(Program& program);                              // --max-entry
SourceOptions source_options(Program& program);                  // --all, --max-size

// Does the name fit --only and --except? With several inputs also without the name of its input.
bool wanted(const Program& program, std::string_view name);
bool has_selection(const Program& program);                      // is there any --only or --except?
bool selects_one(const Program& program);                        // one --only that is a name, of one input

// How many members of the only input --only and --except leave, where that is a directory; else unknown.
std::uint64_t count_wanted(Program& program);

// Reads all inputs in order. Sets the exit code to 1 where a selection leaves nothing.
Step read_inputs(Program& program, Receiver& receiver);

}  // namespace critpipe
