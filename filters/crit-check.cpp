// crit-check: is a checkpoint whole and consistent, and what would its restore need?
#include <algorithm>
#include <optional>
#include <utility>

#include "cli/filter.hpp"
#include "cli/input_lists.hpp"
#include "cli/inputs.hpp"
#include "crit-check/here.hpp"
#include "critpipe/check.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    Option{0, "severity", "LEVEL", "Print findings of LEVEL and worse: error, loss, warning or note (warning)."}.one_of(
        "error loss warning note"),
    Option{0, "json", nullptr, "Print one JSON document."}.excludes("lines"),
    {0, "lines", nullptr, "Print one JSON object per line: a finding."},
    Option{'q', "quiet", nullptr, "Print nothing; the exit code tells."}.excludes("json lines severity explain"),
    Option{0, "explain", nullptr, "Say after the findings what to do about them."}.excludes("json lines"),
    Option{0, "rules", nullptr, "Print the list of rules and look at no input."}.excludes("quiet explain lines here"),
    parent_row,
    set_row,
};
constexpr Option plan_rows[] = {
    {0, "tcp-established", nullptr, "Assume that the restore is given --tcp-established."},
    {0, "tcp-close", nullptr, "Assume --tcp-close."},
    {0, "shell-job", nullptr, "Assume --shell-job."},
    {0, "ext-unix-sk", nullptr, "Assume --ext-unix-sk."},
    {0, "file-locks", nullptr, "Assume --file-locks."},
    {0, "lazy-pages", nullptr, "Assume --lazy-pages."},
    {0, "root", "DIR", "Assume --root DIR.", Option::directories},
    {0, "external", "KEY", "Assume --external KEY, such as mnt[KEY]:PATH; may be repeated."},
    {0, "inherit-fd", "KEY", "Assume --inherit-fd KEY, such as fd[3]:KEY; may be repeated."},
    {0, "here", nullptr, "Look at this machine, too: what of it stands in the way of a restore."},
    {0, "exact", nullptr,
     "Assume that the restore is given these options and no others: what else it needs is an error."},
};
constexpr Options groups[] = {rows, plan_rows, output_options, many_inputs_options, limit_options};
constexpr Example examples[] = {
    {"crit-check DIR", "is it whole?"},
    {"crit-check --exact --tcp-established DIR", "will criu restore --tcp-established do?"},
    {"crit-check --here --tcp-established DIR", "and can it be restored on this machine?"},
    {"crit-check -r /var/lib/kubelet/checkpoints", "all of them"},
    {"crit-check --severity note --explain c1.tar.zst", "all that there is to know, and what to do"},
};

RestorePlan plan_of(Program& program) {
  RestorePlan plan;
  plan.tcp_established = program.has("tcp-established");
  plan.tcp_close = program.has("tcp-close");
  plan.shell_job = program.has("shell-job");
  plan.ext_unix_sk = program.has("ext-unix-sk");
  plan.file_locks = program.has("file-locks");
  plan.lazy_pages = program.has("lazy-pages");
  plan.has_root = program.has("root");
  plan.is_complete = program.has("exact");
  plan.external = program.values("external");
  plan.inherit_fd = program.values("inherit-fd");
  return plan;
}

void print_rule_text(Output& output, std::string_view name, std::string_view kind, std::string_view what,
                     std::string_view below) {
  std::string line{name};
  line.resize(std::max<std::size_t>(line.size() + 1, 24), ' ');
  line += kind;
  line.resize(std::max<std::size_t>(line.size() + 1, 32), ' ');
  output.write(line + std::string{what} + "\n" + std::string(32, ' ') + std::string{below} + "\n");
}

// The checks of --here judge from case to case; what they guard against is what CRIU says.
void print_rules(Program& program, Output& output) {
  if (!program.has("json")) {
    for (const Rule& rule : all_rules())
      print_rule_text(output, rule.name, name_of(rule.severity), rule.what, rule.advice);
    for (const CheckRow& row : here_checks())
      print_rule_text(output, row.name, "here", "Is it so that " + std::string{row.about} + "?",
                      "criu: " + std::string{row.criu});
    return;
  }
  JsonWriter json{output, true};
  json.begin('{').key("schema").number(1u).key("rules").begin('[');
  for (const Rule& rule : all_rules()) {
    json.begin('{').key("rule").text(rule.name).key("severity").text(name_of(rule.severity));
    json.key("what").text(rule.what).key("advice").text(rule.advice).end('}');
  }
  for (const CheckRow& row : here_checks())
    json.begin('{').key("rule").text(row.name).key("here").boolean(true).key("what").text(row.about).end('}');
  json.end(']').end('}').line_end();
}

void print_finding(JsonWriter& json, const SetId& set, const Finding& finding) {
  put_set(json.begin('{'), set).key("severity").text(name_of(finding.severity)).key("rule").text(finding.rule->name);
  put_name(json, "image", finding.image);
  if (finding.entry != Error::nowhere) json.key("entry").number(finding.entry);
  if (!finding.field.empty()) json.key("field").text(finding.field);
  if (finding.pid != 0) json.key("pid").number(finding.pid);
  json.key("reason").text(finding.reason).key("advice").text(finding.rule->advice).end('}');
}

// Findings are printed as they come; of their sets only the counts are held.
class Document {
 public:
  Document(Output& output, Severity level) : json_{output, true}, level_{level} {
    json_.begin('{').key("schema").number(1u).key("findings").begin('[');
  }
  void add(CheckedSet&& set) {
    const auto findings = std::exchange(set.findings, std::vector<Finding>{});  // with their memory
    for (const Finding& finding : findings)
      if (finding.severity <= level_) print_finding(json_, set.id, finding);
    sets_.push_back(std::move(set));
  }
  void end() {
    json_.end(']').key("sets").begin('[');
    for (const CheckedSet& set : sets_) {
      put_set(json_.begin('{'), set.id).key("kind").text(set.kind);
      json_.key("errors").number(set.nr_errors).key("losses").number(set.nr_losses);
      json_.key("warnings").number(set.nr_warnings).key("notes").number(set.nr_notes);
      json_.key("unread").number(set.nr_unread).end('}');
    }
    json_.end(']').end('}').line_end();
  }

 private:
  JsonWriter json_;
  Severity level_;
  std::vector<CheckedSet> sets_;
};

void print_lines(Output& output, std::span<const CheckedSet> sets, Severity level) {
  JsonWriter json{output, false};
  for (const CheckedSet& set : sets)
    for (const Finding& finding : set.findings) {
      if (finding.severity > level) continue;
      print_finding(json, set.id, finding);
      json.line_end();
    }
}

std::string counted(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

// What is not here may be as good as the rest.
bool lacks_pages(const CheckedSet& set) {
  return std::ranges::any_of(set.findings, [](const Finding& one) {
    return one.rule->name == "pages-elsewhere" || one.rule->name == "needs-parent";
  });
}

std::string verdict_of(const CheckedSet& set) {
  std::string text = visible(set.text) + ": ";
  text += set.nr_errors > 0          ? "it can't be restored as it is: "
          : set.nr_unread > 0        ? "not all of it could be read: "
          : set.nr_losses > 0        ? "a restore will lack something: "
          : lacks_pages(set)         ? "no fault found in what is here: "
          : set.kind == "checkpoint" ? "whole: "
                                     : "no fault found: ";
  text += counted(set.nr_errors, "error", "errors") + ", " + counted(set.nr_losses, "loss", "losses") + ", ";
  return text + counted(set.nr_warnings, "warning", "warnings") + ", " + counted(set.nr_notes, "note", "notes");
}

// Many warnings of one rule, as of the mounts of a container, would hide the one that matters.
void print_text(Output& output, const CheckedSet& set, Severity level, bool explain) {
  constexpr std::ptrdiff_t few = 3;
  std::vector<const Rule*> told;
  for (auto finding = set.findings.begin(); finding != set.findings.end() && finding->severity <= level; ++finding) {
    output.write(to_string(*finding) + "\n");
    const auto is_told = [&](const Rule* rule) {
      return rule->name == finding->rule->name && rule->advice == finding->rule->advice;
    };
    if (!finding->rule->advice.empty() && std::ranges::none_of(told, is_told)) told.push_back(finding->rule);
    const auto is_other = [&](const Finding& one) {
      return one.rule != finding->rule || one.severity != finding->severity;
    };
    const std::ptrdiff_t nr_alike = std::find_if(finding, set.findings.end(), is_other) - finding;
    if (finding->severity != Severity::warning || level != Severity::warning || nr_alike <= few) continue;
    output.write(std::string{name_of(finding->severity)} + ": " + visible(finding->image) + ": and " +
                 std::to_string(nr_alike - 1) + " more of them: --severity note [" + std::string{finding->rule->name} +
                 "]\n");
    finding += nr_alike - 1;
  }
  for (const Rule* const rule : told)
    if (explain) output.write("  " + std::string{rule->name} + ": " + std::string{rule->advice} + "\n");
  output.write(verdict_of(set) + "\n");
}

// One group of inputs after the other, so that only the findings of all of them are held.
class Checker {
 public:
  Checker(Program& program, Output& output, Severity level)
      : program_{program},
        output_{output},
        level_{level},
        plan_{plan_of(program)},
        here_{program},
        source_{source_options(program)} {
    source_.all_members = true;  // the link to a parent is one
    if (program.has("json")) document_.emplace(output, level);
  }
  void check(const InputGroup& group, const std::vector<std::string>& parents, const KnownInputs& known);
  void finish();

 private:
  Program& program_;
  Output& output_;
  Severity level_;
  RestorePlan plan_;
  Here here_;
  SourceOptions source_;
  std::optional<Document> document_;
  std::optional<std::vector<std::string>> unused_keys_;  // with no input yet; of none
};

void Checker::check(const InputGroup& group, const std::vector<std::string>& parents, const KnownInputs& known) {
  CheckReader reader{plan_, limits_of(program_)};
  source_.names = group.names;
  Pieces pieces{group.inputs, source_};
  while (const auto piece = pieces.next())
    if (piece->read(reader) == Step::stop) break;
  SourceOptions of_parents = source_;
  of_parents.names.clear();
  of_parents.set.reset();  // the one that is asked for is in the inputs
  for (const std::string& parent : parents) {
    reader.begin_parent(parent);
    (void)read_input(parent, reader, of_parents);
  }
  std::vector<CheckedSet> sets = reader.finish(known);
  const std::vector<std::string> unused = reader.unused_keys();
  const auto is_used = [&](const std::string& key) { return std::ranges::find(unused, key) == unused.end(); };
  if (!unused_keys_) unused_keys_ = unused;
  else std::erase_if(*unused_keys_, is_used);
  here_.add(group.inputs, source_, sets);
  for (const CheckedSet& set : sets)
    if (set.nr_errors + set.nr_losses > 0) program_.set_exit_code(exit_no);
  if (document_)
    for (CheckedSet& set : sets) document_->add(std::move(set));
  else if (program_.has("lines")) print_lines(output_, sets, level_);
  else if (!program_.has("quiet"))
    for (const CheckedSet& set : sets) print_text(output_, set, level_, program_.has("explain"));
  if (output_.flush() == Step::go)
    for (const Error& error : reader.errors()) program_.report(error);
}

void Checker::finish() {
  if (document_) document_->end();
  if (output_.flush() == Step::stop) return;
  for (const std::string& key : unused_keys_.value_or(std::vector<std::string>{}))
    program_.report({.reason = Reason::usage, .name = visible(key) + ": nothing in the images has this key"});
}

int run(Program& program) {
  const std::string word = program.value("severity").value_or("warning");
  const auto level = severity_named(word);
  if (!level) program.usage("--severity takes error, loss, warning or note, not " + word);
  if (program.has("rules")) {
    if (!program.arguments().empty()) program.usage("--rules looks at no input");
    Destination destination{program, Destination::Content::text};
    print_rules(program, destination.output());
    return destination.commit();
  }
  Destination destination{program, Destination::Content::text};
  Checker checker{program, destination.output(), *level};
  const std::vector<std::string> inputs = checkpoints_in(program);
  const std::vector<std::string> parents = program.values("parent");
  const KnownInputs known = look_at_directories(inputs);
  // Parents go with a single set, wherever it is in the inputs.
  if (parents.empty())
    for (const InputGroup& group : group_inputs(inputs, source_options(program))) checker.check(group, {}, known);
  else checker.check({inputs, name_inputs(inputs)}, parents, known);
  checker.finish();
  return destination.commit(Destination::After::any);
}

}  // namespace

const Filter filter{"crit-check", "is a checkpoint whole and consistent?", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
