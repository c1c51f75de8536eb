// Completions for bash and zsh, printed from the option rows.
#include "cli/command_line.hpp"
#include "cli/option_rules.hpp"

namespace critpipe::filters {

namespace {

// "[=WHEN]" is WHEN.
std::string value_name(const Option& option) {
  const std::string value = option.value;
  return option.has_optional_value() ? value.substr(2, value.size() - 3) : value;
}

// One name a line: names have blanks.
std::string bash_files(const char* action) {
  return std::string{"mapfile -t COMPREPLY < <(compgen "} + action + " -- \"$current\")";
}

// What completes one command line; "$current" and "$previous" are its last two words.
std::string bash_cases(const Filter& row, const std::string& margin) {
  std::string words, files, directories, chosen;
  each_option(row, [&](const Option& option) {
    const std::string name = std::string{"--"} + option.name;
    words += words.empty() ? "" : " ";
    words += name;
    if (option.value && !option.has_optional_value()) words += '=';
    const std::string pattern = name + (option.letter ? std::string{"|-"} + option.letter : "");
    if (*option.words)
      chosen +=
          margin + pattern + ") COMPREPLY=($(compgen -W '" + words_of(option) + "' -- \"$current\")); return ;;\n";
    if (option.complete == Option::none) return;
    std::string& values = option.complete == Option::directories ? directories : files;
    values += values.empty() ? "" : "|";
    values += pattern;
  });
  std::string text = margin + "case $previous in\n" + chosen;
  const auto values = [&](const std::string& options, const char* action) {
    if (!options.empty()) text += margin + options + ") " + bash_files(action) + "; return ;;\n";
  };
  values(files, "-f");
  values(directories, "-d");
  text += margin + "esac\n" + margin + "case $current in\n" + margin + "-*)\n";
  text += margin + "  COMPREPLY=($(compgen -W '" + words + "' -- \"$current\"))\n";
  text += margin + "  [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n" + margin + "  ;;\n";
  const std::string arguments = *row.words ? std::string{"-W '"} + row.words + "' -f" : "-f";
  return text + margin + "*) " + bash_files(arguments.c_str()) + " ;;\n" + margin + "esac\n";
}

std::string bash_commands(const Filter& row) {
  std::string names;
  for (std::size_t i = 0; i < row.nr_commands; ++i) names += std::string{command_of(row.commands[i])} + " ";
  std::string text = "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"--help --version " + names +
                     "$(compgen -c " + row.name + "- | sed 's/^" + row.name +
                     "-//')\" -- \"$current\"))\n    return\n  fi\n";
  text += "  case ${COMP_WORDS[1]} in\n";
  for (std::size_t i = 0; i < row.nr_commands; ++i)
    text += "  " + std::string{command_of(row.commands[i])} + ")\n" + bash_cases(row.commands[i], "    ") + "    ;;\n";
  // The program NAME-WORD completes itself, once bash-completion or the user has loaded what is there for it.
  const std::string begin = std::string{row.name} + "-";
  return text + "  *)\n    local sub=_" + row.name + "_${COMP_WORDS[1]//-/_}\n" +
         "    declare -F \"$sub\" >/dev/null || _completion_loader \"" + begin + "${COMP_WORDS[1]}\" 2>/dev/null\n" +
         "    if declare -F \"$sub\" >/dev/null; then\n      COMP_WORDS=(" + begin +
         "\"${COMP_WORDS[1]}\" \"${COMP_WORDS[@]:2}\")\n      ((--COMP_CWORD))\n      \"$sub\"\n    else\n      " +
         bash_files("-f") + "\n    fi\n    ;;\n  esac\n";
}

// In zsh's lists of options and commands colons and quotes have a meaning of their own, and brackets in what is between
// brackets.
std::string zsh_text(std::string text, const char* special = "[]:'") {
  for (std::size_t at = 0; (at = text.find_first_of(special, at)) != text.npos; at += 2)
    text.replace(at, 1, text[at] == '\'' ? "’" : std::string{"\\"} + text[at]);
  return text;
}

std::string zsh_arguments(const Filter& row, const std::string& margin) {
  std::string text = margin + "_arguments -s";
  each_option(row, [&](const Option& option) {
    const bool optional = option.has_optional_value();
    std::string value;
    if (option.value) {
      value = optional ? "::" : ":";
      value += zsh_text(value_name(option), ":'");
      value += *option.words                            ? ":(" + words_of(option) + ")"
               : option.complete == Option::files       ? ":_files"
               : option.complete == Option::directories ? ":_files -/"
                                                        : ":";
    } else if (*option.words) value = "::word:(" + words_of(option) + ")";  // an argument that goes with it
    const std::string help = std::string{"["} + zsh_text(sentence_of(option)) + "]" + value + "'";
    const std::string begin = " \\\n" + margin + (option.value && !option.is_single ? "  '*-" : "  '-");
    text += begin + "-" + option.name + (option.value ? (optional ? "=-" : "=") : "") + help;
    if (option.letter) text += begin + option.letter + (option.value ? "+" : "") + help;
  });
  const std::string words =
      std::string{"{_alternative \"words:what to look at:("} + row.words + ")\" \"files:input:_files\"}";
  return text + " \\\n" + margin + "  '*:input:" + (*row.words ? words : "_files") + "'\n";
}

std::string zsh_commands(const Filter& row) {
  std::string text = "if (( CURRENT == 2 )); then\n  local -a names=(";
  for (std::size_t i = 0; i < row.nr_commands; ++i)
    text += "\n    '" + std::string{command_of(row.commands[i])} + ":" + zsh_text(row.commands[i].purpose) + "'";
  text += "\n    '--help:Print this and exit.' '--version:Print the version and exit.'";
  text += "\n    ${${(k)commands[(I)" + std::string{row.name} + "-*]}#" + row.name + "-})\n";
  text += "  _describe command names\n  return\nfi\n";
  text += "shift words\n(( CURRENT-- ))\ncase $words[1] in\n";
  for (std::size_t i = 0; i < row.nr_commands; ++i)
    text += std::string{command_of(row.commands[i])} + ")\n" + zsh_arguments(row.commands[i], "  ") + "  ;;\n";
  return text + "*) words[1]=" + row.name + "-$words[1]; _normal ;;\nesac\n";
}

}  // namespace

std::string bash_completion(const Filter& row) {
  std::string function = std::string{"_"} + row.name;
  for (char& c : function)
    if (c == '-') c = '_';
  std::string text =
      function + "() {\n  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n";
  text += "  [ \"$current\" = '=' ] && current=\n  [ \"$previous\" = '=' ] && previous=${COMP_WORDS[COMP_CWORD-2]}\n";
  text += row.dispatches() ? bash_commands(row) : bash_cases(row, "  ");
  return text + "}\ncomplete -o filenames -F " + function + " " + row.name + "\n";
}

std::string zsh_completion(const Filter& row) {
  return std::string{"#compdef "} + row.name + "\n" + (row.dispatches() ? zsh_commands(row) : zsh_arguments(row, ""));
}

}  // namespace critpipe::filters
