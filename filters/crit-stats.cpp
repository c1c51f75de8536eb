// crit-stats: what dumps and restores took.
#include "cli/filter.hpp"
#include "cli/inputs.hpp"
#include "critpipe/report.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {'t', "table", nullptr, "Print a line each, totals and percentiles; as is done for more than one input."},
    {0, "json", nullptr, "Print an array of JSON objects."},
    {0, "lines", nullptr, "Print one JSON object a line."},
    {0, "page-size", "SIZE", "Where no image of the input tells the size of a page: SIZE (4096)."},
    {0, "set", "SET", "Read only the set of images in directory SET of an archive or image stream."},
    {0, "max-entry", "SIZE", "Refuse messages larger than SIZE (256M)."},
    {0, "max-size", "SIZE", "Refuse inputs that are larger than SIZE when they are unpacked."},
};
constexpr Options groups[] = {rows, output_options};
constexpr Example examples[] = {
    {"crit stats DIR", "times and pages of a dump"},
    {"crit stats /var/lib/checkpoints/*.tar.zst", "many of them, with totals and percentiles"},
    {"crit stats --lines DIR... | jq .frozen_time", "downtimes in microseconds"},
};

void print_text(Program& program, Output& output, std::span<const Statistics> all) {
  if (!program.has("table") && program.arguments().size() <= 1) {
    print_statistics(output, all);
    return;
  }
  print_statistics_table(output, all, Statistics::Of::dump);
  print_statistics_table(output, all, Statistics::Of::restore);
}

int run(Program& program) {
  if (program.has("json") && program.has("lines")) program.usage("--json and --lines exclude each other");
  const std::vector<std::string> inputs = program.inputs();
  const SourceOptions source = source_options(program);
  StatisticsReader reader{program.number("page-size", 4096), limits_of(program)};
  Destination destination{program, Destination::Content::text};
  for (const std::string& input : inputs) {
    (void)read_input(input, reader, source);
    reader.finish(input);
  }
  if (program.has("json") || program.has("lines"))
    print_statistics_json(destination.output(), reader.statistics(), program.has("lines"));
  else print_text(program, destination.output(), reader.statistics());
  if (destination.output().flush() == Step::go)
    for (const Error& error : reader.errors()) program.report(error);
  return destination.commit();
}

}  // namespace

const Filter filter{"crit-stats", "print the statistics of dumps and restores", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
