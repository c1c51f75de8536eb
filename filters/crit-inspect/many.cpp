#include "crit-inspect/many.hpp"

#include <algorithm>
#include <atomic>

#include "cli/inputs.hpp"
#include "cli/parallel.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

struct Answer {
  std::vector<InspectionRow> rows;
  std::vector<Error> errors;
};

Answer answer_of(const InputGroup& group, InspectOptions options) {
  Answer answer;
  options.source.names = group.names;
  InspectionReader reader{group.inputs, std::move(options)};
  for (Inspection& found : reader.read()) {
    if (found.has_anything()) answer.rows.push_back(row_of(found));
    std::ranges::move(found.errors, std::back_inserter(answer.errors));
  }
  return answer;
}

void put_row(JsonWriter& json, const InspectionRow& row) {
  const auto put = [&](const char* key, const std::string& text) {
    if (!text.empty()) put_name(json, key, text);
  };
  put_set(json.begin('{'), row.id);
  put("pod_namespace", row.pod_namespace);
  put("pod", row.pod);
  put("container", row.container);
  put("image", row.image);
  put("engine", row.engine);
  put("created", row.created);
  put("criu_version", row.criu);
  json.key("what").text(row.what);
  if (row.size_bytes) json.key("size_bytes").number(*row.size_bytes);
  if (row.nr_processes) json.key("nr_processes").number(static_cast<std::uint32_t>(*row.nr_processes));
  json.end('}');
}

}  // namespace

void print_many(Program& program, Output& output, std::span<const InputGroup> groups, const InspectOptions& options) {
  std::vector<InspectionRow> none;
  if (const auto key = program.value("sort"); key && !sort_rows(none, *key))
    program.usage(
        "--sort takes namespace, pod, container, image, engine, created, size, processes, criu or input, not " + *key);
  InspectOptions overview = options;
  overview.overview = true;
  std::vector<Answer> answers(groups.size());
  std::atomic<std::size_t> next = 0;
  on_threads(program, groups.size(), [&] {
    for (std::size_t i = next++; i < groups.size(); i = next++) answers[i] = answer_of(groups[i], overview);
  });
  std::vector<InspectionRow> rows;
  for (Answer& answer : answers) {
    std::ranges::move(answer.rows, std::back_inserter(rows));
    for (const Error& error : answer.errors) program.report(error);
  }
  if (const auto key = program.value("sort")) (void)sort_rows(rows, *key);
  if (!program.has("json") && rows.empty() && program.failed()) return;
  if (!program.has("json")) return print_table(output, rows);
  JsonWriter json{output, true, big_numbers_of(program)};
  json.begin('{').key("schema").number(std::uint32_t{1}).key("table").begin('[');
  for (const InspectionRow& row : rows) put_row(json, row);
  json.end(']').end('}').line_end();
}

}  // namespace critpipe::filters
