// Statistics as text, as a table, as JSON.
#include <algorithm>
#include <numeric>

#include "report/explorers.hpp"
#include "critpipe/report.hpp"
#include "report/put_figures.hpp"

namespace critpipe {

namespace {

using Unit = StatisticsField::Unit;

std::string time_text(std::uint64_t microseconds) {
  const auto time = static_cast<double>(microseconds);
  return microseconds < 1000000 ? format("%.3f ms", time / 1e3) : format("%.3f s", time / 1e6);
}

double bytes_of(std::uint64_t pages, std::uint64_t page_size) {
  return static_cast<double>(pages) * static_cast<double>(page_size);
}

std::string value_text(const StatisticsField& field, std::uint64_t value, std::uint64_t page_size) {
  if (field.unit == Unit::microseconds) return time_text(value);
  if (field.unit == Unit::count) return format("%lu", value);
  return format("%-12lu %s", value, size_text(bytes_of(value, page_size)).c_str());
}

std::string_view name_of(Statistics::Of of) { return of == Statistics::Of::dump ? "dump" : "restore"; }

// A column of the table: a figure that each run has or lacks.
struct Column {
  std::string_view head;
  std::optional<double> (*value)(const Statistics& one, std::string_view field);
  std::string (*text)(double value);
  std::string_view field;
};

std::optional<double> field_value(const Statistics& one, std::string_view field) {
  const auto value = one.value(field);
  return value ? std::optional<double>{static_cast<double>(*value)} : std::nullopt;
}

std::optional<double> written_bytes(const Statistics& one, std::string_view) {
  return bytes_of(one.value("pages_written").value_or(0), one.page_size) +
         bytes_of(one.value("shpages_written").value_or(0), one.page_size);
}

std::optional<double> share(const Statistics& one, std::string_view) { return one.share_written(); }

std::string milliseconds_text(double microseconds) { return format("%.3f", microseconds / 1e3); }
std::string count_text(double count) { return format("%.0f", count); }
std::string percent_text(double part) { return format("%.1f%%", 100 * part); }

std::vector<Column> columns_of(Statistics::Of of) {
  std::vector<Column> columns;
  for (const StatisticsField& field : fields_of(of))
    if (!field.column.empty())
      columns.push_back(
          {field.column, field_value, field.unit == Unit::microseconds ? milliseconds_text : count_text, field.name});
  if (of == Statistics::Of::restore) return columns;
  columns.push_back({"BYTES", written_bytes, [](double bytes) { return size_text(bytes); }, {}});
  columns.push_back({"SHARE", share, percent_text, {}});
  return columns;
}

// Over the runs that have the figure. Requires: sorted, not empty.
using Choose = double(const std::vector<double>& sorted);

double sum_of(const std::vector<double>& sorted) { return std::accumulate(sorted.begin(), sorted.end(), 0.0); }

// Nearest rank.
template <std::size_t percent>
double percentile_of(const std::vector<double>& sorted) {
  const std::size_t rank = (percent * sorted.size() + 99) / 100;
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

struct Summary {
  const char* name;
  Choose* choose;
};
constexpr Summary summaries[] = {{"total", sum_of},
                                 {"p50", percentile_of<50>},
                                 {"p90", percentile_of<90>},
                                 {"p99", percentile_of<99>},
                                 {"maximum", percentile_of<100>}};

// The share of all is not the sum of shares.
std::optional<double> share_of_all(std::span<const Statistics* const> all) {
  Statistics sum;
  sum.values.resize(fields_of(sum.of).size());
  for (const Statistics* one : all)
    for (std::size_t i = 0; i < sum.values.size(); ++i)
      if (one->values[i]) sum.values[i] = sum.values[i].value_or(0) + *one->values[i];
  return sum.share_written();
}

std::string summary_text(std::span<const Statistics* const> all, const Column& column, Choose* choose) {
  std::vector<double> values;
  for (const Statistics* one : all)
    if (const auto value = column.value(*one, column.field)) values.push_back(*value);
  if (values.empty()) return "-";
  std::ranges::sort(values);
  const bool is_sum_of_shares = column.value == share && choose == sum_of;
  return column.text(is_sum_of_shares ? share_of_all(all).value_or(0) : choose(values));
}

struct Row {
  std::string name;
  std::vector<std::string> cells = {};
};

void print_rows(Output& output, const std::vector<Row>& rows) {
  std::size_t name_width = 0;
  std::vector<std::size_t> widths(rows.front().cells.size());
  for (const Row& row : rows) {
    name_width = std::max(name_width, width_of(row.name));
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row.cells[i].size());
  }
  for (const Row& row : rows) {
    std::string line = row.name + std::string(name_width - width_of(row.name), ' ');
    for (std::size_t i = 0; i < widths.size(); ++i)
      line += "  " + std::string(widths[i] - row.cells[i].size(), ' ') + row.cells[i];
    output.write(line + "\n");
  }
}

std::vector<std::string> names_of(std::span<const Statistics> all) {
  std::vector<SetId> sets;
  for (const Statistics& one : all) sets.push_back(one.set);
  std::vector<std::string> names;
  for (const std::string& text : set_texts(sets)) names.push_back(visible(text));
  return names;
}

void put_statistics(JsonWriter& json, const Statistics& one) {
  put_set(json.begin('{'), one.set).key("of").text(name_of(one.of));
  put_figures(json, one);
  json.key("page_size").number(one.page_size);
  if (one.of == Statistics::Of::dump)
    json.key("bytes_written").number(static_cast<std::uint64_t>(*written_bytes(one, {})));
  if (const auto share = one.share_written()) json.key("share_written").raw(format("%.6f", *share));
  json.end('}');
}

void print_one(Output& output, const Statistics& one, const std::string& name) {
  output.write(joined({name, ": ", name_of(one.of), "\n"}));
  const auto fields = fields_of(one.of);
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (one.values[i])
      output.write(format("  %-28s", std::string{fields[i].label}.c_str()) +
                   value_text(fields[i], *one.values[i], one.page_size) + "\n");
  if (const auto share = one.share_written()) output.write(format("  %-28s%.1f%%\n", "share written", 100 * *share));
}

}  // namespace

void put_figures(JsonWriter& json, const Statistics& statistics) {
  const Message& message =
      *find_message(statistics.of == Statistics::Of::dump ? "dump_stats_entry" : "restore_stats_entry");
  const auto fields = fields_of(statistics.of);
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (statistics.values[i])
      json.key(fields[i].name).number(*statistics.values[i], message.find(fields[i].name)->is_big());
}

void print_statistics(Output& output, std::span<const Statistics> all) {
  const std::vector<std::string> names = names_of(all);
  for (std::size_t i = 0; i < all.size(); ++i) print_one(output, all[i], names[i]);
}

void print_statistics_table(Output& output, std::span<const Statistics> all, Statistics::Of of) {
  std::vector<const Statistics*> chosen;
  for (const Statistics& one : all)
    if (one.of == of) chosen.push_back(&one);
  if (chosen.empty()) return;
  const std::vector<Column> columns = columns_of(of);
  std::vector<Row> rows{{of == Statistics::Of::dump ? "DUMP (times in ms)" : "RESTORE (times in ms)", {}}};
  for (const Column& column : columns) rows[0].cells.emplace_back(column.head);
  const std::vector<std::string> names = names_of(all);
  for (const Statistics* one : chosen) {
    Row& row = rows.emplace_back(Row{names[static_cast<std::size_t>(one - all.data())]});
    for (const Column& column : columns) {
      const auto value = column.value(*one, column.field);
      row.cells.push_back(value ? column.text(*value) : "-");
    }
  }
  for (const Summary& summary : summaries) {
    Row& row = rows.emplace_back(Row{summary.name});
    for (const Column& column : columns) row.cells.push_back(summary_text(chosen, column, summary.choose));
  }
  print_rows(output, rows);
}

void print_statistics_json(Output& output, std::span<const Statistics> all, BigNumbers big_numbers) {
  JsonWriter json{output, true, big_numbers};
  json.begin('[');
  for (const Statistics& one : all) put_statistics(json, one);
  json.end(']').line_end();
}

void print_statistics_lines(Output& output, std::span<const Statistics> all, BigNumbers big_numbers) {
  JsonWriter json{output, false, big_numbers};
  for (const Statistics& one : all) {
    put_statistics(json, one);
    json.line_end();
  }
}

}  // namespace critpipe
