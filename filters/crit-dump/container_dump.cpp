// Containers: found, judged, and handed to a dump as any tree, or to their engine.
#include "crit-dump/container_dump.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "cli/criu/container_place.hpp"
#include "crit-dump/root_difference.hpp"
#include "critpipe/json.hpp"
#include "critpipe/json_value.hpp"

namespace critpipe::filters {

namespace {

std::string time_text(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  char text[64];
  gmtime_r(&now, &parts);
  return {text, std::strftime(text, sizeof text, format, &parts)};
}

std::string name_from(const std::string& container) {
  std::string name;
  for (const char c : container) name += is_container_name({&c, 1}) || c == '-' || c == '.' ? c : '_';
  return (is_container_name(name) ? name : "c" + name) + time_text("-%Y%m%dT%H%M%SZ");
}

}  // namespace

ContainerDump::ContainerDump(Program& program) : program_{program}, is_wanted_{program.has("container")} {
  if (!is_wanted_) return;
  const ContainerQuery query{.engine = program.value("engine").value_or(""), .all = true};
  if (Error error = find_container(program.value("container").value_or(""), query, container_)) {
    program.report(error);
    return;
  }
  stays_ = !program.has("stop");
  name_ = program.value("name").value_or(name_from(container_.name));
  if (!is_container_name(name_))
    program.usage("--name: letters, digits, '_', '.' and '-' make a name, not " + visible(name_));
  Error error;
  if (!container_.is_running()) {
    const MachineFinding why = against_state(container_);
    error = {.reason = Reason::usage, .name = why.text + " (" + why.advice + ")"};
  }
  if (!error) error = container_options(container_, options_);
  if (!error && !stays_) error = options_.assign("leave_running=false");
  if (error) program.report(error);
  directory_ = program.value("into");
  exports_ = program.has("output") && container_.engine == "podman";
  if (directory_ || program.has("output")) return;
  is_default_place_ = true;
  directory_ = program.value("dir").value_or(default_container_place) + "/" + name_;
}

void ContainerDump::choose_way(const CriuOptions& options, bool streams) {
  if (!is_wanted_) return;
  wish_ = {.leave_running = stays_,
           .tcp = options.is_on("tcp_established"),
           .file_locks = options.is_on("file_locks"),
           .pre_dump = program_.has("pre-dump")};
  const std::string via = program_.value("via").value_or("");
  if (!via.empty() && via != "engine" && via != "criu") program_.usage("--via takes engine or criu, not " + via);
  if (via == "engine" && streams) program_.usage("an engine makes no stream: leave --via engine out, or use --into");
  if (via == "criu") return;
  const MachineFinding against = against_engine(container_, wish_);
  const std::string text = against.text + (against.advice.empty() ? "" : " (" + against.advice + ")");
  if (via == "engine" && !against.text.empty() && against.severity == Severity::error)
    return program_.report({.reason = Reason::usage, .name = text});
  if (via == "engine") {
    if (!against.text.empty()) program_.note(std::string{name_of(against.severity)} + ": " + text);
    way_ = DumpWay::engine;
    return;
  }
  bool has_own = false;
  for (const char* option : {"set", "external", "config", "track-mem", "parent", "link-remap", "ext-unix-sk", "on",
                             "skip-in-flight", "ghost-limit", "network-lock", "manage-cgroups", "tcp-close", "criu"})
    has_own = has_own || program_.has(option);
  if (streams) why_ = "an engine makes no stream";
  else if (!against.text.empty()) why_ = against.text;
  else if (has_own) why_ = container_.engine + " does not pass all options on to CRIU";
  else way_ = DumpWay::engine;
}

std::string ContainerDump::description(const CriuOptions& options) const {
  StringOutput output;
  JsonWriter json{output, true};
  json.begin('{').key("schema").number(1u);
  put_container(json, container_);
  // The keys that small tools over go-criu write, too.
  json.key("cgroup_path").text(container_.cgroups.empty() ? "" : container_.cgroups[0].path);
  json.key("timestamp").text(time_text("%Y-%m-%dT%H:%M:%SZ")).key("checkpoint_name").text(name_);
  json.key("way").text(way_ == DumpWay::engine ? "engine" : "criu").key("left_running").boolean(stays_);
  json.key("tcp_established").boolean(options.is_on("tcp_established"));
  json.key("file_locks").boolean(options.is_on("file_locks"));
  const char* why = nullptr;
  if (const JsonValue inspection = JsonValue::in(container_.inspection, why); inspection)
    json.key("inspection").raw(inspection.json());
  json.end('}').line_end();
  return output.take();
}

void ContainerDump::say(const DumpJob& job) const {
  if (program_.has("quiet")) return;
  std::string text = "container " + visible(container_.name) + " (" + container_.engine + ", process " +
                     std::to_string(container_.pid) + ") is dumped by ";
  text += way_ == DumpWay::engine ? container_.engine : std::string{"CRIU"};
  if (!why_.empty()) text += ", since " + why_;
  text += program_.has("pre-dump") ? "; its memory alone, and it runs on" : stays_ ? "; it runs on" : "; it ends";
  if (directory_) text += "; into " + visible(*directory_);
  else text += "; into " + visible(program_.value("output").value_or("standard output"));
  if (job.options.is_on("tcp_established")) text += "; with its TCP connections";
  if (way_ == DumpWay::engine && container_.engine == "podman" && !exports())
    text += "; without what has changed in its root file system, which -o FILE and --via criu have, too";
  program_.note(text);
}

void ContainerDump::prepare(DumpJob& job) {
  if (!is_wanted_) return;
  if (is_default_place_) {
    const std::string above = program_.value("dir").value_or(default_container_place);
    if (Error error = make_container_place(above)) return program_.report(error);
  }
  say(job);
  job.files.emplace_back("container.json", description(job.options));
  if (const std::string spec = container_spec(container_); !spec.empty()) job.files.emplace_back("spec.dump", spec);
  if (!wish_.pre_dump)
    job.write_while_frozen = [this, &job](int directory) {
      return write_root_difference(container_, directory, job.setup.stop_fd);
    };
  if (way_ == DumpWay::criu) return;
  job.by_engine = [this, &job](const std::string& directory) {
    EngineDumpResult result;
    EngineDump dump{wish_, name_, directory, job.setup.stop_fd};
    if (job.write_while_frozen)
      dump.while_held = [&]() -> Error {
        const OwnedDescriptor place{open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        return place ? job.write_while_frozen(place.fd()) : system_error(Reason::io_open, directory, errno);
      };
    Error error = engine_dump(container_, dump, result);
    if (!result.kept.empty() && (error || !program_.has("quiet")))
      program_.note(container_.engine + (error ? " keeps it: " : " keeps it, too: ") + visible(result.kept));
    return error;
  };
}

bool ContainerDump::exports() const { return is_wanted_ && exports_ && way_ == DumpWay::engine; }

void ContainerDump::export_archive(DumpJob& job, SignalDescriptor& signals) {
  int signal = 0;
  {
    Destination destination{program_, Destination::Content::images};
    EngineDumpResult result;
    // If the container ends, nothing but the answer has its images.
    const EngineDump dump{wish_, name_, "", stays_ ? signals.fd() : -1, destination.fd()};
    if (const Error error = engine_dump(container_, dump, result)) {
      signal = stays_ ? signals.take() : 0;
      if (!signal) program_.report(error);
    }
    if (!signal) (void)destination.commit();
  }
  end_if_stopped(program_, signal, job.root.is_alive() ? "the container runs" : "the container has ended");
  tell_late(program_, job, signals);
}

int ContainerDump::finish(int exit_code) {
  if (!is_wanted_ || !is_default_place_ || program_.failed()) return exit_code;
  FileOutput output{STDOUT_FILENO, "standard output"};
  output.write(*directory_ + "\n");
  return program_.finish(output);
}

}  // namespace critpipe::filters
