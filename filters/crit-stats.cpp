// crit-stats: what dumps and restores took.
#include "cli/filter.hpp"
#include "cli/inputs.hpp"
#include "critpipe/report.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    Option{'t', "table", nullptr, "Print a table with totals and percentiles, the default for several inputs."}
        .excludes("json lines"),
    Option{0, "json", nullptr, "Print an array of JSON objects."}.excludes("lines"),
    {0, "lines", nullptr, "Print one JSON object per line."},
    big_numbers_row.needs("json|lines"),
    page_size_row,
    set_row,
};
constexpr Options groups[] = {rows, output_options, many_inputs_options, limit_options};
constexpr Example examples[] = {
    {"crit-stats DIR", "times and pages of one dump"},
    {"crit-stats /var/lib/checkpoints/*.tar.zst", "a table of many, with totals and percentiles"},
    {"crit-stats --lines DIR... | jq .frozen_time", "downtimes in microseconds"},
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
  SourceOptions source = source_options(program);
  StatisticsReader reader{page_size_of(program).value_or(0), limits_of(program)};
  const BigNumbers big_numbers = big_numbers_of(program);
  Destination destination{program, Destination::Content::text};
  for (const InputGroup& group : group_inputs(program.inputs(), source)) {
    source.names = group.names;
    (void)read_inputs(group.inputs, reader, source);
    reader.finish(group.inputs.front());
  }
  if (program.has("json")) print_statistics_json(destination.output(), reader.statistics(), big_numbers);
  else if (program.has("lines")) print_statistics_lines(destination.output(), reader.statistics(), big_numbers);
  else print_text(program, destination.output(), reader.statistics());
  if (destination.output().flush() == Step::go)
    for (const Error& error : reader.errors()) program.report(error);
  return destination.commit();
}

}  // namespace

const Filter filter{"crit-stats", "print the statistics of dumps and restores", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
