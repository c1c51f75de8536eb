// The command line, read by CLI11 from the rows of a filter.
#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <optional>
#include <span>
#include <unistd.h>

#include "cli/colour.hpp"
#include "cli/input_lists.hpp"
#include "cli/option_rules.hpp"
#include "critpipe/base.hpp"

namespace critpipe::filters {

namespace {

std::string spelled(const Option& option) {
  std::string text = option.letter ? std::string{"-"} + option.letter + ", " : "    ";
  text += std::string{"--"} + option.name;
  if (option.value) text += option.has_optional_value() ? option.value : std::string{"="} + option.value;
  return text;
}

constexpr std::size_t help_column = 28;

// Columns for --help: those of the terminal, as far as lines that wide can be read.
std::size_t help_columns() {
  constexpr std::size_t least = 68, most = 100;
  const std::size_t columns = terminal_columns(STDOUT_FILENO);
  return columns == 0 ? most : std::clamp(columns, least, most);
}

// Broken into lines between words; those behind the first begin in help_column.
std::string wrapped(std::string text) {
  const std::size_t width = help_columns() - help_column;
  std::size_t begin = 0;
  while (text.size() - begin > width) {
    const std::size_t blank = text.rfind(' ', begin + width);
    if (blank == text.npos || blank < begin) break;
    text.replace(blank, 1, "\n" + std::string(help_column, ' '));
    begin = blank + 1 + help_column;
  }
  return text;
}

// --pre for --pretty, as long as one option alone begins so.
std::string whole_name(const Filter& row, const std::string& word) {
  if (word.size() < 3 || word.compare(0, 2, "--") != 0) return word;
  const std::size_t equals = word.find('=');
  const std::string begin = word.substr(2, equals - 2);
  const std::string rest = equals == word.npos ? "" : word.substr(equals);
  std::string found;
  bool exact = false;
  int matches = 0;
  each_option(row, [&](const Option& option) {
    const std::string_view name = option.name;
    if (name == begin) exact = true;
    if (name.substr(0, begin.size()) != begin) return;
    found = name;
    ++matches;
  });
  return !exact && matches == 1 ? "--" + found + rest : word;
}

std::optional<Option> option_named(const Filter& row, std::string_view name) {
  std::optional<Option> found;
  each_option(row, [&](const Option& option) {
    if (option.name == name) found = option;
  });
  return found;
}

// "; did you mean --list?": the option of which this begins most, else one with a letter or two between.
std::string nearest_option(const Filter& row, const std::string& word) {
  std::string given = word.substr(0, word.find('='));
  if (given.starts_with('-') && !given.starts_with("--") && given.size() > 3) given.insert(0, "-");  // -list
  if (!given.starts_with("--")) return {};
  if (given == "--lines" && option_named(row, "json")) return "; here it is --json";
  std::string best;
  std::size_t least = std::max<std::size_t>((given.size() - 2) / 3, 1) + 1;
  each_option(row, [&](const Option& option) {
    const std::string name = std::string{"--"} + option.name;
    const std::size_t letters = edit_distance(given, name, least);
    const std::size_t rank = given.size() > 4 && name.starts_with(given) ? 0 : letters;
    if (rank >= least) return;
    least = rank;
    best = name;
  });
  return best.empty() ? best : "; did you mean " + best + "?";
}

// "-o (--output)" where only the letter was typed.
std::string as_typed(const Filter& row, const std::vector<std::string>& words, std::string_view option) {
  std::string text{option};
  if (!option.starts_with("--") || std::ranges::find(words, option) != words.end()) return text;
  const auto found = option_named(row, option.substr(2));
  return found && found->letter ? std::string{"-"} + found->letter + " (" + text + ")" : text;
}

// The word of which unknown letters are left: -list, of which -l is an option.
std::string whole_word(const std::vector<std::string>& words, const std::string& rest) {
  const auto is_whole = [&rest](const std::string& word) {
    return word.starts_with('-') && !word.starts_with("--") && word.size() > std::max<std::size_t>(rest.size(), 3) &&
           word.ends_with(rest.substr(1));
  };
  const auto found = rest.starts_with("--") ? words.end() : std::ranges::find_if(words, is_whole);
  return found == words.end() ? rest : *found;
}

[[noreturn]] void print_and_exit(const Filter& row, const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) std::exit(exit_done);
  std::fprintf(stderr, "%s: standard output: cannot write: %s\n", row.name, std::strerror(errno));
  std::exit(exit_error);
}

void answer_about_itself(const Filter& row, const std::string& word) {
  if (!word.starts_with('-')) return;
  if (word == "--help" || word == "-h") print_and_exit(row, help_text(row));
  if (word == "--version") print_and_exit(row, std::string{row.name} + " (critpipe) " CRITPIPE_VERSION "\n");
  if (word == "--print-manual-options") print_and_exit(row, manual_options(row));
  if (word == "--print-bash-completion") print_and_exit(row, bash_completion(row));
  if (word == "--print-zsh-completion") print_and_exit(row, zsh_completion(row));
  if (word == "--print-fish-completion") print_and_exit(row, fish_completion(row));
}

// The name that messages begin with: crit runs other programs under its own.
std::string called_as(int argc, char** argv, const Filter& row) {
  if (argc == 0) return row.name;
  const std::string_view path = argv[0];
  return std::string{path.substr(path.rfind('/') + 1)};
}

// CLI11 takes a word [a,b] apart as a list, which a pattern or a name is not: a mark behind the bracket keeps it whole.
constexpr char mark = '\x01';

std::string marked(std::string word) { return word.ends_with(']') ? word + mark : word; }

std::string unmarked(std::string word) {
  if (word.ends_with(mark)) word.pop_back();
  return word;
}

// Sets aside what CLI11 would read otherwise: --name=value, where the value may be empty and a flag has none, and
// --name whose value may be left out, so that the next word is another.
bool take_joined(const Filter& row, const std::string& word, Program& program, std::vector<std::string>& words,
                 std::vector<Program::Given>& given) {
  if (!word.starts_with("--")) return false;
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(2, equals == word.npos ? equals : equals - 2);
  const std::optional<Option> option = option_named(row, name);
  if (!option) return false;
  const bool is_joined = equals != word.npos;
  if (is_joined && !option->value) program.usage("--" + name + " takes no value");
  const bool is_optional = option->has_optional_value();
  if (is_optional) given.push_back({name, is_joined ? word.substr(equals + 1) : ""});
  else if (is_joined) words.insert(words.end(), {"--" + name, word.substr(equals + 1)});
  return is_optional || is_joined;
}

// CLI11 copies each word several times, and there may be many inputs: how many of the words it has to read. Of those
// behind the last with a dash, only the first can be the value of an option; the others are arguments.
std::size_t nr_to_read(const std::vector<std::string>& words) {
  const auto dashed =
      std::find_if(words.rbegin(), words.rend(), [](const auto& word) { return word.starts_with('-'); });
  return std::min(words.size(), static_cast<std::size_t>(words.rend() - dashed) + 1);
}

// CLI11 compares each option with all others: it gets only those that a word may mean.
bool may_mean(std::span<const std::string> words, const Option& option) {
  return std::ranges::any_of(words, [&](const std::string& word) {
    if (!word.starts_with('-')) return false;
    return word.starts_with("--") ? word.compare(2, word.npos, option.name) == 0
                                  : option.letter && word.find(option.letter) != word.npos;
  });
}

// Is the option among the words with which the exit status is another program's? A word that cannot be read is an error
// of that kind, too.
bool waits(const Filter& row, int argc, char** argv) {
  const auto option = row.waits_with ? option_named(row, row.waits_with) : std::nullopt;
  if (!option) return false;
  for (int i = 1; i < argc && std::string_view{argv[i]} != "--"; ++i) {
    const std::string word = whole_name(row, argv[i]);
    const bool is_short = word.size() > 1 && word[0] == '-' && word[1] != '-';
    if (word == std::string{"--"} + option->name ||
        (is_short && option->letter && word.find(option->letter) != word.npos))
      return true;
  }
  return false;
}

}  // namespace

std::string help_text(const Filter& row) {
  std::string text = std::string{row.name} + ": " + row.purpose + "\n\n";
  std::size_t width = 0, longest = 0;
  for (const Example& example : row.examples) {
    width = std::max(width, std::strlen(example.command));
    longest = std::max(longest, std::strlen(example.does));
  }
  // What an example does stands behind it, or below where that is wider than a narrow terminal.
  const bool is_narrow = help_columns() < 100 && 2 + width + 2 + longest > help_columns();
  for (const Example& example : row.examples) {
    const std::string command = example.command;
    text +=
        "  " + command + (is_narrow ? "\n      " : std::string(width - command.size() + 2, ' ')) + example.does + "\n";
  }
  text += std::string{"\nUsage: "} + row.name + " [OPTION...] " + row.arguments + "\n";
  each_option(row, [&](const Option& option) {
    const std::string left = "  " + spelled(option);
    const bool fits = left.size() < help_column;
    text += left + (fits ? std::string(help_column - left.size(), ' ') : "\n" + std::string(help_column, ' '));
    text += wrapped(sentence_of(option)) + "\n";
  });
  const std::string page{row.name, std::strcspn(row.name, " ")};
  return text + "\nMore: man " + page + "\n";
}

std::string manual_options(const Filter& row) {
  std::string text;
  each_option(row, [&](const Option& option) {
    std::string name = option.letter ? std::string{"**-"} + option.letter + "**, " : "";
    name += std::string{"**--"} + option.name + "**";
    if (option.value) {
      name += option.has_optional_value() ? "[=*" + std::string{option.value + 2, std::strlen(option.value) - 3} + "*]"
                                          : "=*" + std::string{option.value} + "*";
    }
    text += name + "\n: " + sentence_of(option) + "\n\n";
  });
  return text;
}

Program parse_command_line(const Filter& row, int argc, char** argv) {
  const std::string name = called_as(argc, argv, row);
  Program program{row, name, {}, {}};
  const int error_code = waits(row, argc, argv) ? exit_own_error : exit_error;
  program.set_error_code(error_code);
  std::vector<std::string> words;
  std::vector<Program::Given> given;
  bool options_end = false;
  for (int i = 1; i < argc; ++i) {
    std::string word = options_end || row.dispatches() ? argv[i] : whole_name(row, argv[i]);
    if (word == "--") options_end = true;
    if (!options_end && !(row.dispatches() && i > 1)) answer_about_itself(row, word);
    if (!options_end && !row.dispatches() && take_joined(row, word, program, words, given)) continue;
    words.push_back(std::move(word));
  }
  if (row.dispatches()) return Program{row, name, std::move(words), {}};

  const std::span<const std::string> to_read{words.data(), nr_to_read(words)};
  CLI::App app;
  app.set_help_flag();
  std::vector<std::string> arguments;
  app.add_option("arguments", arguments);
  each_option(row, [&](const Option& option) {
    if (!may_mean(to_read, option)) return;
    std::string name = std::string{"--"} + option.name;
    if (option.letter) name += std::string{",-"} + option.letter;
    const std::string key = option.name;
    if (!option.value) {
      app.add_flag_function(name, [&given, key](std::int64_t) { given.push_back({key, ""}); });
      return;
    }
    const auto take = [&given, key](const CLI::results_t& results) {
      for (const std::string& result : results) given.push_back({key, unmarked(result)});
      return true;
    };
    app.add_option(name, take)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
  });
  try {
    std::vector<std::string> reversed;
    for (auto word = to_read.rbegin(); word != to_read.rend(); ++word) reversed.push_back(marked(*word));
    app.parse(reversed);
  } catch (const CLI::ExtrasError&) {
    for (const std::string& word : app.remaining()) {
      if (word.size() < 2 || word[0] != '-') continue;
      const std::string whole{whole_word(words, word)};
      program.usage("no option " + unmarked(whole) + nearest_option(row, whole));
    }
    program.usage("too many arguments");
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string_view text = error.what();
    program.usage(as_typed(row, words, text.substr(0, text.find(':'))) + " takes a value");
  } catch (const CLI::ParseError& error) {
    program.usage(error.what());
  }
  for (std::string& argument : arguments) argument = unmarked(std::move(argument));
  std::move(words.begin() + static_cast<std::ptrdiff_t>(to_read.size()), words.end(), std::back_inserter(arguments));
  Program parsed{row, name, std::move(arguments), std::move(given)};
  parsed.set_error_code(error_code);
  check_combinations(row, parsed);
  if (parsed.has("files-from") || parsed.has("recursive")) parsed.set_arguments(listed_inputs(row, parsed));
  return parsed;
}

}  // namespace critpipe::filters
