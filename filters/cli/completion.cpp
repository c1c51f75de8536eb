// Completions for bash and zsh, printed from the option rows.
#include <algorithm>
#include <sstream>

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

// The words that may stand first, each followed by its own.
std::string bash_words(const std::vector<Word>& words, const std::string& margin) {
  std::string text = margin + "for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n" + margin + "  case $word in\n";
  std::string alone;
  for (const Word& word : words) {
    if (word.next.empty()) alone += (alone.empty() ? "" : "|") + word.text;
    else
      text += margin + "  " + word.text + ") [ \"$previous\" = \"$word\" ] && COMPREPLY=($(compgen -W '" + word.next +
              "' -- \"$current\")); return ;;\n";
  }
  return text + margin + "  " + alone + ") return ;;\n" + margin + "  esac\n" + margin + "done\n" + margin +
         "COMPREPLY=($(compgen -W '" + texts_of(words) + "' -- \"$current\"))\n";
}

std::string bash_arguments(const Filter& row, const std::string& margin) {
  const std::vector<Word> words = words_of(row);
  const Files files = files_of(row);
  if (files == Files::none) return words.empty() ? "" : bash_words(words, margin);
  const std::string all = words.empty() ? "" : "-W '" + texts_of(words) + "' ";
  return margin + bash_files((all + (files == Files::all ? "-f" : "-d")).c_str()) + "\n";
}

// What completes one command line; "$current" and "$previous" are its last two words, and "$joined" says whether = is
// between them.
std::string bash_cases(const Filter& row, const std::string& margin) {
  std::string words, files, directories, unknown, joined, chosen;
  each_option(row, [&](const Option& option) {
    const std::string name = std::string{"--"} + option.name;
    words += words.empty() ? "" : " ";
    words += name;
    if (option.value && !option.has_optional_value()) words += '=';
    const std::string pattern = name + (option.letter ? std::string{"|-"} + option.letter : "");
    if (*option.words)
      chosen +=
          margin + pattern + ") COMPREPLY=($(compgen -W '" + words_of(option) + "' -- \"$current\")); return ;;\n";
    if (!option.value || *option.words) return;
    std::string& values = option.has_optional_value()              ? joined
                          : option.complete == Option::directories ? directories
                          : option.complete == Option::files       ? files
                                                                   : unknown;
    values += values.empty() ? "" : "|";
    values += pattern;
  });
  std::string text = margin + "case $previous in\n" + chosen;
  const auto values = [&](const std::string& options, const std::string& action) {
    if (!options.empty()) text += margin + options + ") " + action + " ;;\n";
  };
  values(files, bash_files("-f") + "; return");
  values(directories, bash_files("-d") + "; return");
  values(unknown, "return");
  values(joined, "[ -n \"$joined\" ] && return");
  text += margin + "esac\n" + margin + "case $current in\n" + margin + "-*)\n";
  text += margin + "  COMPREPLY=($(compgen -W '" + words + "' -- \"$current\"))\n";
  text += margin + "  [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n" + margin + "  ;;\n";
  return text + margin + "*)\n" + bash_arguments(row, margin + "  ") + margin + "  ;;\n" + margin + "esac\n";
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

// What the arguments are, each behind `begin`.
std::string zsh_inputs(const Filter& row, const std::string& begin) {
  const std::vector<Word> words = words_of(row);
  const Files files = files_of(row);
  if (files != Files::none) {
    const std::string names = files == Files::all ? "_files" : "_files -/";
    return begin + "'*:input:" +
           (words.empty()
                ? names
                : "{_alternative \"words:what to look at:(" + texts_of(words) + ")\" \"files:input:" + names + "\"}") +
           "'";
  }
  if (words.empty()) return "";
  std::string text = begin + "'1:what:(" + texts_of(words) + ")'", next;
  for (const Word& word : words)
    if (!word.next.empty()) next += "(( ${words[(I)" + word.text + "]} )) && compadd " + word.next + "; ";
  return next.empty() ? text : text + begin + "'2:what:{" + next + "}'";
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
  return text + zsh_inputs(row, " \\\n" + margin + "  ") + "\n";
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

std::vector<Word> words_of(const Filter& row) {
  std::vector<Word> words;
  std::istringstream text{row.words};
  for (std::string word; text >> word;) {
    const std::size_t colon = std::min(word.find(':'), word.size());
    Word& one = words.emplace_back(Word{word.substr(0, colon), word.substr(std::min(colon + 1, word.size()))});
    std::ranges::replace(one.next, ',', ' ');
  }
  return words;
}

std::string texts_of(const std::vector<Word>& words) {
  std::string text;
  for (const Word& word : words) text += (text.empty() ? "" : " ") + word.text;
  return text;
}

Files files_of(const Filter& row) {
  const std::string_view arguments = row.arguments;
  const auto names = [arguments](const char* what) { return arguments.find(what) != arguments.npos; };
  return names("INPUT") || names("FILE") ? Files::all : names("DIR") ? Files::directories : Files::none;
}

std::string bash_completion(const Filter& row) {
  std::string function = std::string{"_"} + row.name;
  for (char& c : function)
    if (c == '-') c = '_';
  std::string text =
      function + "() {\n  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} joined= word\n";
  text += "  [ \"$current\" = '=' ] && current= joined=yes\n";
  text += "  [ \"$previous\" = '=' ] && previous=${COMP_WORDS[COMP_CWORD-2]} joined=yes\n";
  text += row.dispatches() ? bash_commands(row) : bash_cases(row, "  ");
  return text + "}\ncomplete -o filenames -F " + function + " " + row.name + "\n";
}

std::string zsh_completion(const Filter& row) {
  return std::string{"#compdef "} + row.name + "\n" + (row.dispatches() ? zsh_commands(row) : zsh_arguments(row, ""));
}

}  // namespace critpipe::filters
