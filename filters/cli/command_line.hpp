// Option rows to CLI11, --help, manual and completions.
#pragma once

#include <string>

#include "cli/filter.hpp"

namespace critpipe::filters {

// Parses or exits: --help, --version, and usage errors.
Program parse_command_line(const Filter& row, int argc, char** argv);

// All option rows, and those that every program has.
template <typename Use>
void each_option(const Filter& row, Use use) {
  for (const Options& group : row.options)
    for (const Option& option : group) use(option);
  use(Option{'h', "help", nullptr, "Print this and exit."});
  use(Option{0, "version", nullptr, "Print the version and exit."});
}

// Of "crit show", show.
inline std::string_view command_of(const Filter& row) {
  const std::string_view name = row.name;
  return name.substr(name.rfind(' ') + 1);
}

// For completions.
struct Word {
  std::string text;
  std::string next;  // words that follow it, separated by blanks
};
std::vector<Word> words_of(const Filter& row);
std::string texts_of(const std::vector<Word>& words);  // separated by blanks
enum class Files : std::uint8_t { none, all, directories };
Files files_of(const Filter& row);  // among the arguments

std::string help_text(const Filter& row);
std::string manual_options(const Filter& row);  // Markdown for the OPTIONS of the manual
std::string bash_completion(const Filter& row);
std::string zsh_completion(const Filter& row);
std::string fish_completion(const Filter& row);

}  // namespace critpipe::filters
