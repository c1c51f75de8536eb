// What the option rows say about combinations: "--threads needs --zstd".
#pragma once

#include <string>

#include "cli/filter.hpp"

namespace critpipe::filters {

inline constexpr const char* words_of_kinds = "@kinds";  // in Option::words: the names of all kinds of images

// The help of a row with what it goes with and without: "With --list: print one JSON object per line."
std::string sentence_of(const Option& row);

// The words of a row, separated by blanks.
std::string words_of(const Option& row);

// Usage error where options were given that a row does not allow together.
void check_combinations(const Filter& filter, Program& program);

}  // namespace critpipe::filters
