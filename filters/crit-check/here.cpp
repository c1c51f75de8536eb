#include "crit-check/here.hpp"

#include <algorithm>
#include <cctype>

#include "cli/inputs.hpp"

namespace critpipe::filters {

namespace {

struct OptionRow {
  const char* option;
  const char* field;
};
constexpr OptionRow switches[] = {
    {"tcp-established", "tcp_established"}, {"tcp-close", "tcp_close"},   {"shell-job", "shell_job"},
    {"ext-unix-sk", "ext_unix_sk"},         {"file-locks", "file_locks"}, {"lazy-pages", "lazy_pages"}};

std::uint64_t& count_of(CheckedSet& set, Severity severity) {
  switch (severity) {
    case Severity::error: return set.nr_errors;
    case Severity::loss: return set.nr_losses;
    case Severity::warning: return set.nr_warnings;
    case Severity::note: break;
  }
  return set.nr_notes;
}

// As the advice of other rules.
std::string sentence_of(std::string advice) {
  if (advice.empty()) return advice;
  advice.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(advice.front())));
  return advice.ends_with('.') ? advice : advice + ".";
}

}  // namespace

Here::Here(Program& program) : program_{program} {
  if (!program.has("here")) return;
  const auto assign = [&](const std::string& assignment) {
    if (const Error error = options_.assign(assignment)) program.usage(error.name);
  };
  for (const OptionRow& row : switches)
    if (program.has(row.option)) assign(std::string{row.field} + "=true");
  if (const auto root = program.value("root")) assign("root=" + *root);
  for (const std::string& key : program.values("external"))
    if (const Error error = options_.add("external", key)) program.usage(error.name);
}

// One of each check, severity and advice.
const Rule& Here::rule_of(std::string_view check, Severity severity, std::string&& advice) {
  for (const Told& told : told_)
    if (told.rule.name == check && told.rule.severity == severity && told.advice == advice) return told.rule;
  Told& told = told_.emplace_back(Told{std::move(advice), {}});
  told.rule = {check, severity, {}, told.advice};
  return told.rule;
}

void Here::add(CheckedSet& set, const MachineFinding& finding) {
  ++count_of(set, finding.severity);
  const Rule& rule = rule_of(finding.check, finding.severity, sentence_of(finding.advice));
  set.findings.push_back({.rule = &rule,
                          .severity = finding.severity,
                          .image = set.text,
                          .reason = finding.text,
                          .pid = static_cast<std::uint32_t>(finding.pid)});
}

void Here::add(std::span<const std::string> inputs, const SourceOptions& source, std::vector<CheckedSet>& sets) {
  if (!program_.has("here")) return;
  told_.clear();
  for (const std::string& input : inputs)
    if (!can_read_again(input, source)) program_.usage("--here reads each input twice, and " + input + " is a pipe");
  CheckpointReader reader{here_needs(), limits_of(program_)};
  SourceOptions images = source;
  images.all_members = false;
  (void)read_inputs({inputs.begin(), inputs.end()}, reader, images);
  for (const SetCheckpoint& found : reader.finish(inputs.front())) {
    const auto set = std::ranges::find(sets, found.id, &CheckedSet::id);
    if (set == sets.end() || !found.has_tree()) continue;
    // What the images do not tell is looked at; what is not, the checks say.
    set->nr_notes -= static_cast<std::uint64_t>(
        std::erase_if(set->findings, [](const Finding& one) { return one.rule->name == "unseen"; }));
    for (const MachineFinding& finding : check_here(found.checkpoint, options_)) add(*set, finding);
    std::ranges::stable_sort(set->findings, {}, &Finding::severity);
    if (set->findings.size() > max_findings) set->findings.resize(max_findings);
  }
}

}  // namespace critpipe::filters
