#include "crit-restore/restore_look.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "critpipe/checkpoint.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

RestorePlan plan_of(const Program& program, const CriuOptions& options) {
  RestorePlan plan;
  plan.tcp_established = options.is_on("tcp_established");
  plan.tcp_close = options.is_on("tcp_close");
  plan.shell_job = options.is_on("shell_job");
  plan.ext_unix_sk = options.is_on("ext_unix_sk");
  plan.file_locks = options.is_on("file_locks");
  plan.lazy_pages = options.is_on("lazy_pages");
  plan.has_root = options.has("root");
  plan.is_complete = true;
  plan.external = program.values("external");
  for (const std::string& text : program.values("inherit")) {
    const std::size_t equals = text.rfind('=');
    std::string one{"fd["};
    one.append(text, equals == text.npos ? text.size() : equals + 1).append("]:").append(text, 0, equals);
    plan.inherit_fd.push_back(std::move(one));
  }
  return plan;
}

std::string line_of(const Against& one) {
  return std::string{name_of(one.severity)} + ": " + one.text + (one.advice.empty() ? "" : " (" + one.advice + ")");
}

bool is_one_image(const std::string& input) {
  struct First final : Receiver {
    Step begin(const Member& member) override {
      is_alone = !member.in_set;
      is_image = is_image_name(member.name);
      return is_alone && !is_image ? Step::go : Step::stop;
    }
    Step bytes(const Member&, Bytes bytes) override {
      for (const std::byte byte : bytes.first(std::min(bytes.size(), sizeof magic - nr_bytes)))
        magic |= std::to_integer<std::uint32_t>(byte) << 8 * nr_bytes++;
      return nr_bytes < sizeof magic ? Step::go : Step::stop;
    }
    Step end(const Member&) override { return Step::stop; }
    void fail(const Member*, const Error&) override {}  // said by who reads the images
    bool is_alone = false, is_image = false;
    std::uint32_t magic = 0;
    std::size_t nr_bytes = 0;
  } first;
  (void)read_input(input, first);
  const bool has_head = first.magic == common_magic || first.magic == service_magic || find_kind(first.magic);
  return first.is_alone && (first.is_image || has_head);
}

// What the user reads of a finding, in an object that has its rule and its severity.
std::string text_of(const Finding& finding) {
  const std::string line = to_string(finding);
  const std::size_t begin = name_of(finding.severity).size() + std::string_view{": "}.size();
  const std::size_t end = line.size() - std::string_view{" []"}.size() - finding.rule->name.size();
  return line.substr(begin, end - begin);
}

}  // namespace

Error several_sets(std::span<const SetId> sets) {
  const auto is_elsewhere = [&](const SetId& set) { return set.checkpoint != sets.front().checkpoint; };
  Error error{Reason::usage};
  std::string names;
  if (std::ranges::any_of(sets, is_elsewhere)) {
    for (const SetId& set : sets) names += (names.empty() ? "" : ", ") + visible(set.text());
    error.name = "several checkpoints, of which one can be restored: " + names;
    return error;
  }
  for (const SetId& set : sets) names += (names.empty() ? "" : ", ") + visible(set.set.empty() ? "." : set.set);
  error.image = sets.front().checkpoint;
  error.name = "several sets of images, of which --set-name takes one: " + names;
  return error;
}

std::vector<Against> look_at(Program& program, const std::vector<std::string>& inputs, const CriuOptions& options,
                             const std::vector<SocketChange>& changes) {
  std::vector<Against> all;
  CheckReader images{plan_of(program, options)};
  CheckpointReader model{here_needs()};
  SocketChanger changed_images{images, changes}, changed_model{model, changes};
  SourceOptions source{.all_members = true};
  std::error_code ignored;
  if (inputs.empty() || !std::filesystem::is_directory(inputs[0], ignored)) source.set = program.value("set-name");
  for (const std::string& input : inputs) {
    if (is_one_image(input)) program.usage(input + " is one image: give a directory, an archive or a stream of all");
    (void)read_input(input, changed_images, source);
    (void)read_input(input, changed_model, {.set = source.set});
  }
  if (Error error = changed_model.missed()) program.report(error);
  const std::vector<CheckedSet> checked = images.finish();
  std::vector<SetId> sets;
  for (const CheckedSet& set : checked) sets.push_back(set.id);
  if (sets.size() > 1) {
    program.report(several_sets(sets));
    SignalCleanup::exit(program.exit_code());
  }
  for (const CheckedSet& set : checked)
    for (const Finding& finding : set.findings) {
      if (finding.rule->name == "unseen") continue;                 // it is looked at below
      const bool is_no_set = finding.rule->name == "images-alone";  // which stops no check, but a restore
      all.push_back({is_no_set ? Severity::error : finding.severity, std::string{finding.rule->name}, text_of(finding),
                     std::string{finding.rule->advice}});
    }
  for (const Error& error : images.errors()) program.report(error);
  for (const SetCheckpoint& set : model.finish(inputs.empty() ? "-" : inputs[0]))
    for (const MachineFinding& finding : check_here(set.checkpoint, options))
      all.push_back({finding.severity, std::string{finding.check}, finding.text, finding.advice});
  return all;
}

int print_findings(Program& program, std::span<const Against> findings) {
  FileOutput output{STDOUT_FILENO, "standard output"};
  JsonWriter json{output, false};
  if (program.has("json")) json.begin('{').key("schema").number(1u).key("findings").begin('[');
  for (const Against& one : findings) {
    if (one.severity <= Severity::loss) program.set_exit_code(exit_no);
    if (program.has("json"))
      json.begin('{')
          .key("severity")
          .text(name_of(one.severity))
          .key("check")
          .text(one.check)
          .key("text")
          .text(one.text)
          .key("advice")
          .text(one.advice)
          .end('}');
    else output.write(line_of(one) + "\n");
  }
  if (program.has("json")) json.end(']').end('}').line_end();
  return program.finish(output);
}

bool look_before(Program& program, std::span<const Against> findings) {
  for (const Against& one : findings) {
    if (one.severity == Severity::error) program.report({.reason = Reason::usage, .name = line_of(one)});
    else if (one.severity < Severity::note) program.note(line_of(one));
  }
  return !program.failed();
}

}  // namespace critpipe::filters
