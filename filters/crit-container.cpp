// crit-container: which containers run here, and what CRIU must be told about one.
#include <unistd.h>

#include <algorithm>

#include "cli/criu/criu_program.hpp"
#include "critpipe/control/containers.hpp"
#include "critpipe/json.hpp"
#include "critpipe/report.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {0, "json", nullptr, "Print JSON."},
    {'a', "all", nullptr, "list: show containers that do not run, too."},
    Option{0, "engine", "NAME", "Ask only this engine: docker, podman, containerd, lxc, runc or crun."}.one_of(
        "docker podman containerd lxc runc crun"),
    {0, "tcp", nullptr, "inspect: for a dump with established TCP connections, as crit-dump --tcp."},
    {'l', "file-locks", nullptr, "inspect: for a dump with file locks."},
    Option{0, "stop", nullptr, "inspect: for a dump that ends the container."},
    criu_row,
};
constexpr Options groups[] = {rows};
constexpr Example examples[] = {
    {"crit-container list", "what runs, engine by engine"},
    {"crit-container inspect web", "its mounts, namespaces, cgroups, and whether it can be dumped"},
    {"crit-container inspect web >/dev/null && crit-dump --container web", "only if nothing speaks against it"},
};

ContainerQuery query_of(Program& program) {
  ContainerQuery query{.engine = program.value("engine").value_or(""), .all = program.has("all")};
  const auto known = engine_rows();
  if (query.engine.empty() || std::ranges::find(known, query.engine, &EngineRow::name) != known.end()) return query;
  std::string names;
  for (const EngineRow& row : known) names.append(names.empty() ? "" : ", ").append(row.name);
  program.usage("--engine: no engine '" + query.engine + "': " + names);
}

// Rows whose columns stand one below the other.
class Columns {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print(Output& output, const std::string& indent = "") const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_)
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths.resize(std::max(widths.size(), row.size()));
        widths[i] = std::max(widths[i], width_of(row[i]));
      }
    for (const auto& row : rows_) {
      std::string line = indent;
      for (std::size_t i = 0; i < row.size(); ++i) {
        line += row[i];
        if (i + 1 < row.size()) line.append(widths[i] - width_of(row[i]) + 2, ' ');
      }
      while (!line.empty() && line.back() == ' ') line.pop_back();
      output.write(line + "\n");
    }
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string short_id(const std::string& id) {
  constexpr std::size_t length = 12, whole = 64;
  return visible(id.size() == whole ? id.substr(0, length) : id);
}

void print_list_json(Output& output, const std::vector<RunningContainer>& all,
                     const std::vector<EngineAnswer>& answers) {
  JsonWriter json{output, true};
  json.begin('{').key("schema").number(1u).key("containers").begin('[');
  for (const RunningContainer& one : all) {
    json.begin('{');
    put_container_name(json, one);
    json.key("created").text(one.created).end('}');
  }
  json.end(']').key("engines").begin('[');
  for (const EngineAnswer& one : answers) {
    json.begin('{').key("engine").text(one.engine).key("found").boolean(one.is_here);
    if (!one.version.empty()) json.key("version").text(one.version);
    if (one.error) json.key("error").text(to_string(one.error));
    json.end('}');
  }
  json.end(']').end('}').line_end();
}

int list(Program& program) {
  std::vector<EngineAnswer> answers;
  const std::vector<RunningContainer> all = list_containers(query_of(program), answers);
  FileOutput output{STDOUT_FILENO, "standard output"};
  if (program.has("json")) {
    print_list_json(output, all, answers);
  } else if (!all.empty()) {
    Columns columns;
    columns.add({"ENGINE", "NAME", "ID", "STATE", "PID", "RUNTIME", "IMAGE"});
    for (const RunningContainer& one : all)
      columns.add({one.engine, visible(one.name), short_id(one.id), visible(one.state),
                   one.pid ? std::to_string(one.pid) : "-", visible(one.runtime), visible(one.image)});
    columns.print(output);
  }
  for (const EngineAnswer& one : answers)
    if (one.error) program.report(one.error);
  if (all.empty()) {
    const bool has_engine = std::ranges::any_of(answers, &EngineAnswer::is_here);
    if (!program.failed()) program.note(has_engine ? "no container" : "no container engine was found");
    program.set_exit_code(exit_no);
  }
  return program.finish(output);
}

// Whether it can be dumped, by each way.
struct Verdict {
  std::vector<MachineFinding> findings;  // what speaks against any dump, and what is worth knowing
  MachineFinding engine;                 // what speaks against asking the engine; empty text: nothing
  bool has_error() const { return !findings.empty() && findings[0].severity == Severity::error; }
  bool is_possible(DumpWay way) const {
    return !has_error() && (way == DumpWay::criu || engine.text.empty() || engine.severity != Severity::error);
  }
  std::string why_not(DumpWay way) const {
    const MachineFinding& why = has_error() || way == DumpWay::criu ? findings[0] : engine;
    return why.text + (why.advice.empty() ? "" : " (" + why.advice + ")");
  }
};

Verdict judge(Program& program, const RunningContainer& container) {
  CriuOptions options;
  Verdict verdict;
  if (container.pid)
    if (Error error = container_options(container, options)) program.report(error);
  for (const auto& [option, field] : {std::pair{"tcp", "tcp_established=true"}, {"file-locks", "file_locks=true"}})
    if (program.has(option) && options.assign(field)) program.usage(field);
  DumpWish wish;
  wish.leave_running = !program.has("stop");
  wish.tcp = program.has("tcp");
  wish.file_locks = program.has("file-locks");
  verdict.findings = check_container(container, options, criu_program(program));
  verdict.engine = against_engine(container, wish);
  return verdict;
}

constexpr std::pair<DumpWay, const char*> ways[] = {{DumpWay::engine, "engine"}, {DumpWay::criu, "criu"}};

void print_json(Output& output, const RunningContainer& container, const Verdict& verdict) {
  JsonWriter json{output, true};
  json.begin('{').key("schema").number(1u);
  put_container(json, container);
  json.key("ways").begin('[');
  for (const auto& [way, name] : ways) {
    json.begin('{').key("way").text(name).key("possible").boolean(verdict.is_possible(way));
    if (!verdict.is_possible(way)) json.key("reason").text(verdict.why_not(way));
    json.end('}');
  }
  json.end(']').key("findings").begin('[');
  for (const MachineFinding& one : verdict.findings) {
    json.begin('{').key("severity").text(name_of(one.severity)).key("check").text(one.check);
    if (one.pid) json.key("pid").number(static_cast<unsigned>(one.pid));
    json.key("text").text(one.text).key("advice").text(one.advice).end('}');
  }
  json.end(']').end('}').line_end();
}

std::string namespaces_text(const RunningContainer& container, bool is_ours) {
  std::string text;
  for (const RunningNamespace& one : container.namespaces)
    if (one.is_ours == is_ours) {
      text.append(text.empty() ? "" : ", ").append(one.kind);
      if (!one.path.empty()) text.append(" (").append(visible(one.path)).append(")");
    }
  return text;
}

void print_places(Output& output, const RunningContainer& container) {
  Columns cgroups, mounts;
  for (const RunningCgroup& one : container.cgroups)
    cgroups.add({one.controllers.empty() ? "version 2" : visible(one.controllers), visible(one.path)});
  if (!container.cgroups.empty()) output.write("cgroups\n");
  cgroups.print(output, "  ");
  mounts.add({"MOUNTPOINT", "TYPE", "FROM", "CRIU IS TOLD"});
  for (const RunningMount& one : container.mounts)
    mounts.add({visible(one.point), visible(one.type), one.source.empty() ? "-" : visible(one.source),
                one.told.empty() ? "-" : visible(one.told)});
  if (!container.mounts.empty()) output.write("mounts\n");
  if (!container.mounts.empty()) mounts.print(output, "  ");
}

void print_text(Output& output, const RunningContainer& container, const Verdict& verdict) {
  Columns columns;
  const auto put = [&](const char* what, const std::string& text) {
    if (!text.empty()) columns.add({what, text});
  };
  put("name", visible(container.name));
  put("id", visible(container.id));
  put("engine", container.engine + (container.where.empty() ? "" : ", " + visible(container.where)));
  put("image", visible(container.image));
  put("state", visible(container.state));
  put("pid", container.pid ? std::to_string(container.pid) : "");
  put("runtime", visible(container.runtime));
  put("created", visible(container.created));
  put("terminal", container.has_terminal ? "yes" : "");
  put("root", visible(container.root));
  put("bundle", visible(container.bundle));
  for (const ContainerNetwork& one : container.networks) {
    std::string text = one.network;
    for (const std::string& address : one.addresses) text.append(" ").append(address);
    put("network", visible(text + (one.mac.empty() ? "" : " " + one.mac)));
  }
  put("own", namespaces_text(container, false));
  put("shared", namespaces_text(container, true));
  for (const auto& [way, name] : ways)
    put(way == DumpWay::engine ? "by engine" : "by CRIU",
        !verdict.is_possible(way)                                ? "cannot be dumped: " + verdict.why_not(way)
        : way == DumpWay::engine && !verdict.engine.text.empty() ? "can be dumped, but " + verdict.engine.text
                                                                 : "can be dumped");
  columns.print(output);
  print_places(output, container);
  for (const MachineFinding& one : verdict.findings)
    output.write(std::string{name_of(one.severity)} + ": " + one.text +
                 (one.advice.empty() ? "" : " (" + one.advice + ")") + "\n");
}

int inspect(Program& program) {
  const std::string name = program.take_argument("which container? crit-container inspect NAME");
  if (!program.arguments().empty()) program.usage("inspect takes one container");
  RunningContainer container;
  if (Error error = find_container(name, query_of(program), container)) {
    program.report(error);
    return program.exit_code();
  }
  const Verdict verdict = judge(program, container);
  FileOutput output{STDOUT_FILENO, "standard output"};
  if (program.has("json")) print_json(output, container, verdict);
  else print_text(output, container, verdict);
  if (!verdict.is_possible(DumpWay::criu) && !verdict.is_possible(DumpWay::engine)) program.set_exit_code(exit_no);
  return program.finish(output);
}

int run(Program& program) {
  const std::string word = program.take_argument("say what: list, or inspect NAME");
  if (word == "inspect") return inspect(program);
  program.refuse({"tcp", "file-locks", "stop"}, "goes with inspect");
  if (word != "list") program.usage("takes list or inspect, not " + word);
  if (!program.arguments().empty()) program.usage("list takes no argument");
  return list(program);
}

}  // namespace

const Filter filter{"crit-container",
                    "say which containers run, and whether one can be dumped",
                    "list|inspect [NAME]",
                    examples,
                    groups,
                    run,
                    nullptr,
                    0,
                    "list inspect"};

}  // namespace critpipe::filters
