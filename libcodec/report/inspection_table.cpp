// Many checkpoints as a table.
#include <algorithm>
#include <array>

#include "base/path_names.hpp"
#include "report/explorers.hpp"
#include "report/inspection_facts.hpp"
#include "report/inspection_report.hpp"
#include "report/instants.hpp"

namespace critpipe {

namespace {

struct Column {
  std::string_view key;
  const char* head;
  std::string (*text)(const InspectionRow& row);
  bool is_right = false;
};

std::string or_dash(const std::string& text) { return text.empty() ? "-" : visible(text); }

constexpr Column columns[] = {
    {"namespace", "NAMESPACE", [](const InspectionRow& row) { return or_dash(row.pod_namespace); }},
    {"pod", "POD", [](const InspectionRow& row) { return or_dash(row.pod); }},
    {"container", "CONTAINER", [](const InspectionRow& row) { return or_dash(row.container); }},
    {"image", "IMAGE", [](const InspectionRow& row) { return or_dash(row.image); }},
    {"engine", "ENGINE", [](const InspectionRow& row) { return or_dash(row.engine); }},
    {"created", "CREATED", [](const InspectionRow& row) { return or_dash(utc_text(row.created)); }},
    {"size", "SIZE", [](const InspectionRow& row) { return size_text(row.size_bytes); }, true},
    {"processes", "PROCS", [](const InspectionRow& row) { return std::to_string(row.nr_processes); }, true},
    {"criu", "CRIU", [](const InspectionRow& row) { return or_dash(row.criu); }},
    {"input", "CHECKPOINT",
     [](const InspectionRow& row) {
       return visible(row.text_id) + (row.remark.empty() ? "" : ": " + std::string{row.remark});
     }},
};

constexpr std::size_t widest = 48;

}  // namespace

InspectionRow row_of(const Inspection& inspection) {
  const Container& container = inspection.container;
  InspectionRow row;
  row.id = inspection.id;
  row.text_id = inspection.text_id;
  row.pod_namespace = container.pod_namespace;
  row.pod = container.pod;
  row.container = container.name;
  row.image = container.image;
  row.engine = container.engine;
  row.created = container.created;
  row.criu = container.criu_version;
  row.size_bytes = inspection.sizes.input > 0 ? inspection.sizes.input : inspection.sizes.total;
  row.nr_processes = inspection.nr_processes;
  row.what = what_it_is(inspection);
  const std::string_view pages_only = inspection.checkpoint->pages_only();
  row.remark = pages_only.substr(0, pages_only.find(':'));
  return row;
}

bool sort_rows(std::vector<InspectionRow>& rows, std::string_view key) {
  const auto column = std::ranges::find(columns, key, &Column::key);
  if (column == std::end(columns)) return false;
  const auto text = column->text;
  std::ranges::stable_sort(rows, [&](const InspectionRow& left, const InspectionRow& right) {
    if (key == "size") return left.size_bytes > right.size_bytes;
    if (key == "processes") return left.nr_processes > right.nr_processes;
    if (key == "created") return is_before(left.created, right.created);
    return natural_less(text(left), text(right));
  });
  return true;
}

void print_table(Output& output, std::span<const InspectionRow> rows) {
  std::array<std::size_t, std::size(columns)> widths;
  std::array<bool, std::size(columns)> is_empty;
  for (std::size_t c = 0; c < std::size(columns); ++c) {
    widths[c] = std::string_view{columns[c].head}.size();
    is_empty[c] = true;
    for (const InspectionRow& row : rows) {
      const std::string text = columns[c].text(row);
      widths[c] = std::max(widths[c], std::min(widest, width_of(text)));
      is_empty[c] &= text == "-";
    }
  }
  const auto put = [&](auto text_of) {
    std::string line;
    for (std::size_t c = 0; c < std::size(columns); ++c) {
      if (is_empty[c] && columns[c].key != "container") continue;
      const std::string text = text_of(columns[c]);
      const std::string blanks(widths[c] - std::min(widths[c], width_of(text)), ' ');
      line += (line.empty() ? "" : "  ") + (columns[c].is_right ? blanks + text : text + blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    output.write(line + "\n");
  };
  put([](const Column& column) { return std::string{column.head}; });
  for (const InspectionRow& row : rows) put([&](const Column& column) { return column.text(row); });
}

}  // namespace critpipe
