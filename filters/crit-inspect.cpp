// crit-inspect: what a checkpoint is and was doing, on one screen; many of them as a table.
#include <algorithm>
#include <cstdlib>
#include <unistd.h>

#include "cli/colour.hpp"
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
    Option{0, "summary", nullptr, "Print what it is, its times, sizes, namespaces, rights and what deserves attention."}
        .excludes(text_only),
    Option{0, "processes", nullptr, "Print all processes and threads."}.excludes(text_only),
    Option{0, "sockets", nullptr, "Print all sockets, with both ends."}.excludes(text_only),
    Option{0, "files", nullptr, "Print all open files."}.excludes(text_only),
    Option{0, "mounts", nullptr, "Print the mounts."}.excludes(text_only),
    Option{0, "memory", nullptr, "Print the memory of each process."}.excludes(text_only),
    Option{0, "stats", nullptr, "Print what the dump took."}.excludes(text_only),
    Option{0, "config", nullptr, "Print the container's configuration."}.excludes(text_only),
    Option{0, "environment", nullptr, "Print the values of environments, in JSON too."}.excludes("table"),
    Option{0, "all", nullptr, "Print all sections but --environment."}.excludes(text_only),
    Option{'p', "pid", "PID", "Print this process and what is its only; may be repeated."}.excludes("table"),
    Option{0, "json", nullptr, "Print one JSON document."}.excludes("lines checkpointctl"),
    Option{0, "lines", nullptr, "Print one flat JSON object per line."}.excludes("checkpointctl table"),
    Option{0, "checkpointctl", nullptr, "Print JSON with the keys of checkpointctl inspect."}.excludes("table"),
    Option{'t', "table", nullptr, "Print one line a checkpoint."},
    Option{0, "sort", "KEY",
           "Sort by namespace, pod, container, image, engine, created, size, processes, criu or input."}
        .needs("table"),
    Option{'j', "jobs", "N", "Read several inputs on N threads (default: one per processor)."}.needs("table"),
    big_numbers_row.needs("json|lines|checkpointctl"),
    set_row,
};
constexpr Options groups[] = {rows, output_options, many_inputs_options, limit_options};
constexpr Example examples[] = {
    {"crit inspect ckpt.tar.zst", "what it is and was doing, on one screen"},
    {"crit inspect --processes --environment DIR", "all processes and their environments"},
    {"crit inspect --table --sort size /var/lib/kubelet/checkpoints", "one line a checkpoint"},
    {"crit inspect --json ckpt.tar | jq '.checkpoints[].sockets'", "for a program"},
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
        json_{program.has("environment"), big_numbers_of(program), pids_of(program)} {}

  bool gathers() const { return program_.has("json") || program_.has("checkpointctl"); }
  // Prints the checkpoints of one input, or keeps them. Step::stop: nobody reads any more.
  Step take(std::vector<Inspection> found, bool has_others);
  void finish();

 private:
  void report(const Inspection& inspection);

  Program& program_;
  Output& output_;
  InspectionText text_;
  InspectionJson json_;
  std::vector<Inspection> kept_;
  std::vector<bool> seen_pids_;
  bool is_first_ = true;
};

void Printer::report(const Inspection& inspection) {
  for (const std::uint32_t pid : text_.pids)
    if (!inspection.checkpoint->find_task(pid))
      program_.report({.reason = Reason::usage,
                       .name = visible(inspection.id.text()) + ": no process " + std::to_string(pid) + " in it"});
  for (const Error& error : inspection.errors) program_.report(error);
}

Step Printer::take(std::vector<Inspection> found, bool has_others) {
  if (gathers()) {
    std::ranges::move(found, std::back_inserter(kept_));
    return Step::go;
  }
  for (const Inspection& inspection : found) {
    if (program_.has("lines")) {
      print_inspection_lines(output_, inspection, json_);
    } else {
      const bool is_empty = inspection.processes.empty() && !inspection.errors.empty() &&
                            inspection.checkpoint->pages_only().empty() && !inspection.container.is_known();
      if (!is_empty) {
        if (!std::exchange(is_first_, false)) output_.write("\n");
        if (has_others || found.size() > 1) output_.write("==> " + visible(inspection.text_id) + " <==\n");
        print_inspection(output_, inspection, text_);
      }
    }
    if (output_.flush() == Step::stop) return Step::stop;
    report(inspection);
  }
  return Step::go;
}

void Printer::finish() {
  if (!gathers()) return;
  if (program_.has("json")) print_inspections_json(output_, kept_, json_);
  else print_inspections_checkpointctl(output_, kept_, json_);
  if (output_.flush() == Step::go)
    for (const Inspection& inspection : kept_) report(inspection);
}

int run(Program& program) {
  InspectOptions options;
  options.limits = limits_of(program);
  options.source = source_options(program);
  const std::vector<std::string> inputs = inspected_inputs(program);
  Destination destination{program,
                          program.has("environment") ? Destination::Content::memory_text : Destination::Content::text};
  if (program.has("table")) {
    print_many(program, destination.output(), inputs, options);
    return destination.commit(Destination::After::any);
  }
  Printer printer{program, destination.output()};
  for (const std::string& input : inputs) {
    InspectionReader reader{input, options};
    if (printer.take(reader.read(), inputs.size() > 1) == Step::stop) break;
    options.source.before.push_back(input);
  }
  printer.finish();
  return destination.commit();
}

}  // namespace

const Filter filter{"crit-inspect", "say what a checkpoint is and was doing", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
