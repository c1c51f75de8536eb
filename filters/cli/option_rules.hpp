// What the option rows say about combinations: "--threads needs --zstd".
#pragma once

#include <string>

#include "cli/filter.hpp"

namespace critpipe::filters {

// The help of a row with what it goes with and without: "With --list: print one JSON object per line."
std::string sentence_of(const Option& row);

// Usage error where options were given that a row does not allow together.
void check_combinations(const Filter& filter, Program& program);

}  // namespace critpipe::filters
