// Completions for fish, printed from the option rows.
#include "cli/command_line.hpp"
#include "cli/option_rules.hpp"

namespace critpipe::filters {

namespace {

std::string quoted(std::string text) {
  for (std::size_t at = 0; (at = text.find_first_of("'\\", at)) != text.npos; at += 2) text.insert(at, 1, '\\');
  return "'" + text + "'";
}

// What a value is completed by. One that may be left out stands behind =, which fish does not know.
std::string values_of(const Option& option) {
  if (!option.value || option.has_optional_value()) return "";
  if (*option.words) return " -x -a " + quoted(words_of(option));
  if (option.complete == Option::files) return " -r -F";
  if (option.complete == Option::directories) return " -x -a '(__fish_complete_directories)'";
  return " -x";
}

// Files are offered unless a line with -f or -x says that there are none.
std::string arguments_of(const Filter& row, const std::string& program, const std::string& condition) {
  const std::vector<Word> words = words_of(row);
  const std::string begin = "complete -c " + program + condition, all = texts_of(words);
  switch (files_of(row)) {
    case Files::all: return words.empty() ? "" : begin + " -a " + quoted(all) + "\n";
    case Files::directories: return begin + " -x -a '(__fish_complete_directories)'\n";
    case Files::none: break;
  }
  if (words.empty()) return begin + " -f\n";
  std::string text = begin + " -f -n 'not __fish_seen_subcommand_from " + all + "' -a " + quoted(all) + "\n";
  text += begin + " -f -n '__fish_seen_subcommand_from " + all + "'\n";
  for (const Word& word : words)
    if (!word.next.empty())
      text += begin + " -f -n '__fish_seen_subcommand_from " + word.text + "; and not __fish_seen_subcommand_from " +
              word.next + "' -a " + quoted(word.next) + "\n";
  return text;
}

// A line for each option; `condition`: when they are offered.
std::string options_of(const Filter& row, const std::string& program, const std::string& condition) {
  std::string text;
  each_option(row, [&](const Option& option) {
    text += "complete -c " + program + condition;
    if (option.letter) text += std::string{" -s "} + option.letter;
    text += std::string{" -l "} + option.name + values_of(option) + " -d " + quoted(sentence_of(option)) + "\n";
    if (!option.value && *option.words)  // arguments that go with it
      text += "complete -c " + program + condition + " -n '__fish_contains_opt " + option.name + "' -a " +
              quoted(words_of(option)) + "\n";
  });
  return text + arguments_of(row, program, condition);
}

// The words of crit itself and the programs crit-NAME, which complete what follows their names.
std::string commands_of(const Filter& row) {
  const std::string program = row.name;
  std::string names;
  std::string text = "function __" + program + "_programs\n  for path in $PATH/" + program + "-*\n" +
                     "    test -x $path; and string replace -r '.*/" + program + "-' '' -- $path\n  end\nend\n" +
                     "function __" + program + "_rest\n  set -l words (commandline -opc)\n" + "  complete -C \"" +
                     program +
                     "-$words[2] \"(string join ' ' -- (string escape -- $words[3..-1]) (commandline -ct))\nend\n" +
                     "function __" + program + "_is\n  set -l words (commandline -opc)\n" +
                     "  set -q words[2]; and contains -- $words[2] $argv\nend\n";
  text += "complete -c " + program + " -n __fish_use_subcommand -x -a '(__" + program + "_programs)'\n";
  for (std::size_t i = 0; i < row.nr_commands; ++i) {
    const std::string name{command_of(row.commands[i])};
    names += " " + name;
    text += "complete -c " + program + " -n __fish_use_subcommand -x -a " + name + " -d " +
            quoted(row.commands[i].purpose) + "\n";
    text += options_of(row.commands[i], program, " -n '__" + program + "_is " + name + "'");
  }
  text += options_of(row, program, " -n __fish_use_subcommand");
  return text + "complete -c " + program + " -n 'not __fish_use_subcommand; and not __" + program + "_is" + names +
         "' -x -a '(__" + program + "_rest)'\n";
}

}  // namespace

std::string fish_completion(const Filter& row) {
  return row.dispatches() ? commands_of(row) : options_of(row, row.name, "");
}

}  // namespace critpipe::filters
