// The list of rules, and what is said of findings.
#include <algorithm>
#include <vector>

#include "check/checked_images.hpp"

namespace critpipe {

std::string_view name_of(Severity severity) {
  constexpr std::string_view names[] = {"error", "loss", "warning", "note"};
  return names[static_cast<std::size_t>(severity)];
}

std::optional<Severity> severity_named(std::string_view word) {
  for (const Severity severity : {Severity::error, Severity::loss, Severity::warning, Severity::note})
    if (name_of(severity) == word) return severity;
  return std::nullopt;
}

// One list of all rows; findings point into the copies.
std::span<const Rule> all_rules() {
  static const std::vector<Rule> rules = [] {
    std::vector<Rule> all;
    for (CheckRules* const rows : std::span{check_rules, nr_check_rules})
      for (const RuleRow& row : rows()) all.push_back(row.rule);
    return all;
  }();
  return rules;
}

const Rule* find_rule(std::string_view name) {
  for (const Rule& rule : all_rules())
    if (rule.name == name) return &rule;
  return nullptr;
}

std::optional<std::string_view> external_value(std::span<const std::string> given, std::string_view type,
                                               std::string_view key) {
  for (std::string_view one : given) {
    if (!one.starts_with(type)) continue;
    one.remove_prefix(type.size());
    if (!one.starts_with('[') || one.substr(1, key.size()) != key) continue;
    one.remove_prefix(1 + key.size());
    if (one == "]") return std::string_view{};
    if (one.starts_with("]:")) return one.substr(2);
  }
  return std::nullopt;
}

bool has_inherited(std::span<const std::string> given, std::string_view key) {
  return std::ranges::any_of(given, [&](std::string_view one) {
    const std::size_t colon = one.starts_with("fd[") ? one.find("]:") : std::string_view::npos;
    return colon != std::string_view::npos && one.substr(colon + 2) == key;
  });
}

std::string to_string(const Finding& finding) {
  std::string line = visible(finding.image) + ": ";
  if (finding.entry != Error::nowhere) line += "entry " + std::to_string(finding.entry) + ": ";
  if (!finding.field.empty()) line += finding.field + ": ";
  line.insert(0, std::string{name_of(finding.severity)} + ": ");
  return line + finding.reason + " [" + std::string{finding.rule->name} + "]";
}

}  // namespace critpipe
