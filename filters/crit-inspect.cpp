// crit-inspect: what a checkpoint is and was doing, on one screen; many of them as a table.
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <unistd.h>

#include "cli/colour.hpp"
#include "cli/input_lists.hpp"
#include "cli/inputs.hpp"
#include "cli/parallel.hpp"
#include "crit-inspect/many.hpp"
#include "critpipe/inspect.hpp"

namespace critpipe::filters {

namespace {

using Section = InspectionText::Section;

struct SectionRow {
  const char* option;
  std::uint32_t sections;
};
constexpr SectionRow section_rows[] = {
    {"summary", Section::summary},         {"processes", Section::processes},
    {"sockets", Section::sockets},         {"files", Section::files},
    {"mounts", Section::mounts},           {"memory", Section::memory},
    {"stats", Section::statistics},        {"config", Section::configuration},
    {"environment", Section::environment}, {"all", Section::everything & ~Section::environment},
};

constexpr const char* text_only = "json lines checkpointctl table";
constexpr Option rows[] = {
    Option{0, "summary", nullptr, "Print its kind, times, sizes, namespaces, rights and what deserves attention."}
        .excludes(text_only),
    Option{0, "processes", nullptr, "Print all processes and threads."}.excludes(text_only),
    Option{0, "sockets", nullptr, "Print all sockets, with both ends."}.excludes(text_only),
    Option{0, "files", nullptr, "Print all open files, pipes, terminals and whatever else is open but sockets."}
        .excludes(text_only),
    Option{0, "mounts", nullptr, "Print the mounts."}.excludes(text_only),
    Option{0, "memory", nullptr, "Print the memory of each process."}.excludes(text_only),
    Option{0, "stats", nullptr, "Print what the dump took."}.excludes(text_only),
    Option{0, "config", nullptr, "Print the container's configuration."}.excludes(text_only),
    Option{0, "environment", nullptr, "Print the values of environments, in JSON too."}.excludes("table"),
    Option{0, "all", nullptr, "Print all sections but --environment."}.excludes(text_only),
    Option{'p', "pid", "PID", "Print only this process and what belongs to it; may be repeated."}.excludes("table"),
    Option{0, "json", nullptr, "Print one JSON document."}.excludes("lines checkpointctl"),
    Option{0, "lines", nullptr, "Print one flat JSON object per line."}.excludes("checkpointctl table"),
    Option{0, "checkpointctl", nullptr, "Print JSON with the keys of checkpointctl inspect."}.excludes("table"),
    Option{'t', "table", nullptr, "Print one line per checkpoint."},
    Option{0, "sort", "KEY",
           "Sort by namespace, pod, container, image, engine, created, size, processes, criu or input."}
        .one_of("namespace pod container image engine created size processes criu input")
        .needs("table"),
    Option{'j', "jobs", "N", "Read several inputs on N threads (default: one per processor)."}.needs("table"),
    big_numbers_row.needs("json|lines|checkpointctl"),
    Option{parent_row}.excludes("table"),
    set_row,
};
constexpr Options option_groups[] = {rows, output_options, many_inputs_options, limit_options};
constexpr Example examples[] = {
    {"crit-inspect ckpt.tar.zst", "what it is and was doing, on one screen"},
    {"crit-inspect --processes --environment DIR", "all processes and their environments"},
    {"crit-inspect --table --sort size /var/lib/kubelet/checkpoints", "one line a checkpoint"},
    {"crit-inspect --json ckpt.tar | jq '.checkpoints[].sockets'", "for a program"},
};

std::size_t width_of_terminal() {
  if (const std::size_t columns = terminal_columns(STDOUT_FILENO)) return columns;
  const char* columns = std::getenv("COLUMNS");
  const long number = columns ? std::strtol(columns, nullptr, 10) : 0;
  constexpr long most = 1000;
  return number > 0 && number <= most ? static_cast<std::size_t>(number) : 80;
}

InspectionText text_options(Program& program) {
  InspectionText text;
  for (const SectionRow& row : section_rows)
    if (program.has(row.option)) text.sections |= row.sections;
  text.unicode = locale_is_utf8();
  text.columns = std::max<std::size_t>(width_of_terminal(), 40);
  // What is piped on is not cut, unless it is the screen.
  text.is_cut = text.sections == 0 || isatty(STDOUT_FILENO) != 0;
  text.pids = pids_of(program);
  return text;
}

class Printer {
 public:
  Printer(Program& program, Output& output)
      : program_{program},
        output_{output},
        text_{text_options(program)},
        json_{program.has("environment"), big_numbers_of(program), pids_of(program)} {
    using Keys = InspectionDocument::Keys;
    if (program.has("json")) document_.emplace(output, Keys::own, json_);
    if (program.has("checkpointctl")) document_.emplace(output, Keys::checkpointctl, json_);
  }

  // Prints the checkpoints of one input. Step::stop: nobody reads any more.
  Step take(std::span<const Inspection> found, bool has_others);
  void finish();

 private:
  void print(const Inspection& inspection, bool has_heading);
  bool is_asked_for(const Inspection& inspection);
  void report(const Error& error);

  Program& program_;
  Output& output_;
  InspectionText text_;
  InspectionJson json_;
  std::optional<InspectionDocument> document_;
  std::vector<Error> errors_;           // reported when the document is whole
  std::set<std::uint32_t> pids_found_;  // of those that are asked for
  bool is_first_ = true;
};

// Has it any of the processes that are asked for?
bool Printer::is_asked_for(const Inspection& inspection) {
  bool has_any = text_.pids.empty();
  for (const std::uint32_t pid : text_.pids) {
    if (!inspection.checkpoint->find_task(pid)) continue;
    has_any = true;
    pids_found_.insert(pid);
  }
  return has_any;
}

void Printer::report(const Error& error) {
  if (document_) errors_.push_back(error);
  else program_.report(error);
}

void Printer::print(const Inspection& inspection, bool has_heading) {
  if (!inspection.has_anything()) return;
  if (document_) return document_->add(inspection);
  if (program_.has("lines")) return print_inspection_lines(output_, inspection, json_);
  if (!std::exchange(is_first_, false)) output_.write("\n");
  if (has_heading) output_.write("==> " + visible(inspection.text_id) + " <==\n");
  print_inspection(output_, inspection, text_);
}

Step Printer::take(std::span<const Inspection> found, bool has_others) {
  for (const Inspection& inspection : found) {
    if (is_asked_for(inspection)) print(inspection, has_others || found.size() > 1);
    if (output_.flush() == Step::stop) return Step::stop;
    for (const Error& error : inspection.errors) report(error);
  }
  return Step::go;
}

void Printer::finish() {
  if (document_) {
    document_->end();
    if (output_.flush() == Step::stop) return;
  }
  for (const Error& error : errors_) program_.report(error);
  for (const std::uint32_t pid : text_.pids)
    if (!pids_found_.contains(pid))
      program_.report({.reason = Reason::usage, .name = "no process " + std::to_string(pid) + " in the input"});
}

int run(Program& program) {
  InspectOptions options;
  options.limits = limits_of(program);
  options.source = source_options(program);
  options.parents = program.values("parent");
  const std::vector<std::string> inputs = checkpoints_in(program);
  const std::vector<InputGroup> groups = group_inputs(inputs, options.source);
  if (!options.parents.empty() && groups.size() > 1) program.usage("--parent goes with one input");
  Destination destination{program,
                          program.has("environment") ? Destination::Content::memory_text : Destination::Content::text};
  if (program.has("table")) {
    print_many(program, destination.output(), groups, options);
    return destination.commit(Destination::After::any);
  }
  Printer printer{program, destination.output()};
  for (const InputGroup& group : groups) {
    options.source.names = group.names;
    InspectionReader reader{group.inputs, options};
    if (printer.take(reader.read(), groups.size() > 1) == Step::stop) break;
  }
  printer.finish();
  return destination.commit();
}

}  // namespace

const Filter filter{
    "crit-inspect", "say what a checkpoint is and was doing", "[INPUT...]", examples, option_groups, run};

}  // namespace critpipe::filters
