#include "crit-inspect/many.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <thread>

#include "cli/input_lists.hpp"
#include "cli/inputs.hpp"
#include "cli/parallel.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

namespace fs = std::filesystem;

// DIR/1, and docker's containers/ID/checkpoints/NAME; archives in DIR itself.
constexpr int usual_depth = 4;

bool is_rest_of_container(std::string_view name) {
  return name == "rootfs-diff.tar" || name == "devshm-checkpoint.tar";
}

// Is it a checkpoint by itself: images, or a container's directory, or a container image?
bool is_checkpoint(const fs::path& directory, const std::vector<fs::path>& entries) {
  std::error_code none;
  const auto has = [&](auto fits) {
    return std::ranges::any_of(entries, [&](const fs::path& path) { return fits(path.filename().string()); });
  };
  if (has([](const std::string& name) { return name.ends_with(".img") || name == "stats-dump"; })) return true;
  if (has([](const std::string& name) { return name == "oci-layout" || name == "manifest.json"; })) return true;
  for (const fs::directory_entry& entry : fs::directory_iterator{directory / "checkpoint", none})
    if (entry.path().extension() == ".img") return true;
  return false;
}

// Adds the checkpoints that a directory stands for. False: there are none.
bool add_checkpoints(const fs::path& path, int depth, std::vector<std::string>& found) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (const fs::directory_entry& entry : fs::directory_iterator{path, error}) entries.push_back(entry.path());
  // 2 before 10.
  std::ranges::sort(
      entries, [](const fs::path& left, const fs::path& right) { return strverscmp(left.c_str(), right.c_str()) < 0; });
  if (is_checkpoint(path, entries)) {
    found.push_back(path.string());
    return true;
  }
  bool any = false;
  for (const fs::path& entry : entries) {
    const fs::file_status status = fs::symlink_status(entry, error);
    const std::string name = entry.filename().string();
    if (fs::is_regular_file(status) && depth == usual_depth && is_archive_name(name) && !is_rest_of_container(name)) {
      found.push_back(entry.string());
      any = true;
    } else if (fs::is_directory(status) && depth > 0) {
      any |= add_checkpoints(entry, depth - 1, found);
    }
  }
  return any;
}

}  // namespace

std::vector<std::string> inspected_inputs(Program& program) {
  std::vector<std::string> inputs;
  for (std::string& name : program.inputs()) {
    std::error_code none;
    while (name.size() > 1 && name.ends_with('/')) name.pop_back();
    const bool is_directory = name != "-" && fs::is_directory(name, none);
    // What holds no checkpoint is read, too: that says what it is.
    if (!is_directory || !add_checkpoints(name, usual_depth, inputs)) inputs.push_back(name);
  }
  return inputs;
}

namespace {

struct Answer {
  std::vector<InspectionRow> rows;
  std::vector<Error> errors;
};

Answer answer_of(const std::string& input, const InspectOptions& options) {
  Answer answer;
  InspectionReader reader{input, options};
  for (Inspection& found : reader.read()) {
    const bool is_empty = found.processes.empty() && found.checkpoint->pages_only().empty();
    if (!is_empty || found.errors.empty()) answer.rows.push_back(row_of(found));
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
  json.key("size_bytes")
      .number(row.size_bytes)
      .key("nr_processes")
      .number(static_cast<std::uint32_t>(row.nr_processes));
  json.end('}');
}

}  // namespace

void print_many(Program& program, Output& output, const std::vector<std::string>& inputs,
                const InspectOptions& options) {
  std::vector<InspectionRow> none;
  if (const auto key = program.value("sort"); key && !sort_rows(none, *key))
    program.usage(
        "--sort takes namespace, pod, container, image, engine, created, size, processes, criu or input, not " + *key);
  InspectOptions overview = options;
  overview.overview = true;
  // One that is given again is NAME#2.
  std::map<std::string_view, std::size_t> counts;
  std::vector<std::size_t> before;
  for (const std::string& input : inputs) before.push_back(counts[input]++);
  std::vector<Answer> answers(inputs.size());
  std::atomic<std::size_t> next = 0;
  on_threads(program, inputs.size(), [&] {
    for (std::size_t i = next++; i < inputs.size(); i = next++) {
      InspectOptions own = overview;
      own.source.before.assign(before[i], inputs[i]);
      answers[i] = answer_of(inputs[i], own);
    }
  });
  std::vector<InspectionRow> rows;
  for (Answer& answer : answers) {
    std::ranges::move(answer.rows, std::back_inserter(rows));
    for (const Error& error : answer.errors) program.report(error);
  }
  if (const auto key = program.value("sort")) (void)sort_rows(rows, *key);
  if (!program.has("json")) return print_table(output, rows);
  JsonWriter json{output, true, big_numbers_of(program)};
  json.begin('{').key("schema").number(std::uint32_t{1}).key("table").begin('[');
  for (const InspectionRow& row : rows) put_row(json, row);
  json.end(']').end('}').line_end();
}

}  // namespace critpipe::filters
