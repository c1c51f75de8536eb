#include "cli/option_rules.hpp"

#include <algorithm>

#include "cli/command_line.hpp"
#include "critpipe/schema.hpp"

namespace critpipe::filters {

namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// "--into, --stream and --zstd"
std::string listed(const std::vector<std::string>& names, const char* last_joint) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? last_joint : ", ";
    text += "--" + names[i];
  }
  return text;
}

// "--into and --pages-from", "--any or --memory"
std::string needs_text(const Option& row) {
  std::string text;
  for (const std::string& needed : split(row.needed, ' '))
    text += (text.empty() ? "" : " and ") + listed(split(needed, '|'), " or ");
  return text;
}

// The name of a set may be.
bool may_be_empty(const Option& row) { return row.value == std::string_view{"SET"}; }

}  // namespace

std::string words_of(const Option& row) {
  if (std::string_view{row.words} != words_of_kinds) return row.words;
  std::string names;
  for (const Kind& kind : all_kinds())
    if (!kind.is_raw()) names.append(names.empty() ? "" : " ").append(kind.name);
  return names;
}

std::string sentence_of(const Option& row) {
  std::string text = row.help;
  if (*row.needed) {
    text[0] = lower(text[0]);
    text = "With " + needs_text(row) + ": " + text;
  }
  if (*row.excluded) text += " Not with " + listed(split(row.excluded, ' '), " or ") + ".";
  return text;
}

void check_combinations(const Filter& filter, Program& program) {
  const auto given = [&](const std::string& name) { return program.has(name); };
  each_option(filter, [&](const Option& row) {
    if (!program.has(row.name)) return;
    const std::string name = std::string{"--"} + row.name;
    if (row.is_single && program.values(row.name).size() > 1) program.usage(name + " can be given once");
    if (row.value && !row.has_optional_value() && !may_be_empty(row))
      for (const std::string& value : program.values(row.name))
        if (value.empty()) program.usage(name + " is empty");
    for (const std::string& needed : split(row.needed, ' '))
      if (std::ranges::none_of(split(needed, '|'), given)) program.usage(name + " needs " + needs_text(row));
    for (const std::string& excluded : split(row.excluded, ' '))
      if (given(excluded)) program.usage(name + " cannot be combined with --" + excluded);
  });
}

}  // namespace critpipe::filters
