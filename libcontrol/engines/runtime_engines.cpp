// runc and crun without an engine above them: their directories of states.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "engines/engine.hpp"
#include "engines/run_command.hpp"
#include "process/program_path.hpp"
#include "engines/troubles.hpp"

namespace critpipe {

namespace {

// What differs between the two.
struct Runtime {
  std::string_view name;
  const char* state_file;
  Error (*read)(const JsonAnswer& json, RunningContainer& container);
};

std::vector<std::string> state_directories(std::string_view name) {
  std::vector<std::string> all{"/run/" + std::string{name}};
  if (const char* runtime = getenv("XDG_RUNTIME_DIR")) all.push_back(std::string{runtime} + "/" + std::string{name});
  return all;
}

// A pid that a state names is believed if the process began when it says.
void set_process(std::int64_t pid, std::int64_t start, RunningContainer& container) {
  container.pid = pid > 0 && pid <= INT32_MAX ? static_cast<pid_t>(pid) : 0;
  container.start_time = static_cast<std::uint64_t>(start);
  if (!container.pid || start <= 0 || !is_process(container.pid, container.start_time)) {
    container.pid = 0;
    container.state = "stopped";
    return;
  }
  container.cgroups = cgroups_of(container.pid);
  container.state = is_frozen(container) ? "paused" : "running";
}

Error read_runc(const JsonAnswer& json, RunningContainer& container) {
  container.id = json.text({"id"});
  container.created = json.text({"created"});
  container.root = json.text({"config", "rootfs"});
  for (const std::string& label : json.texts({"config", "labels"}))
    if (label.starts_with("bundle=")) container.bundle = label.substr(7);
  set_process(json.number({"init_process_pid"}), json.number({"init_process_start"}), container);
  return {};
}

Error read_crun(const JsonAnswer& json, RunningContainer& container) {
  container.created = json.text({"created"});
  container.bundle = json.text({"bundle"});
  container.root = json.text({"rootfs"});
  if (!container.root.empty() && container.root[0] != '/') container.root = container.bundle + "/" + container.root;
  set_process(json.number({"pid"}), json.number({"process-start-time"}), container);
  return {};
}

void list_states(const Runtime& runtime, const std::string& place, const ContainerQuery& query, EngineAnswer& answer,
                 std::vector<RunningContainer>& found) {
  for (const std::string& name : names_in(place)) {
    const JsonAnswer json{small_file(place + "/" + name + "/" + runtime.state_file)};
    if (!json || found.size() >= most_containers) continue;
    answer.is_here = true;
    RunningContainer container;
    container.engine = runtime.name;
    container.runtime = runtime.name;
    container.where = place;
    if (runtime.read(json, container)) continue;
    container.id = container.name = name;  // its directory's name is what the runtime is asked by
    if (container.pid || query.all) found.push_back(std::move(container));
  }
}

void list_runtime(const Runtime& runtime, const ContainerQuery& query, EngineAnswer& answer,
                  std::vector<RunningContainer>& found) {
  answer.is_here = has_program(std::string{runtime.name});
  for (const std::string& place : state_directories(runtime.name)) {
    if (access(place.c_str(), F_OK) == 0 && access(place.c_str(), R_OK | X_OK) != 0)
      answer.error = engine_error(place, "permission denied: be root");
    list_states(runtime, place, query, answer, found);
  }
}

constexpr Runtime runc{"runc", "state.json", read_runc};
constexpr Runtime crun{"crun", "status", read_crun};

void list_runc(const ContainerQuery& query, EngineAnswer& answer, std::vector<RunningContainer>& found) {
  list_runtime(runc, query, answer, found);
}
void list_crun(const ContainerQuery& query, EngineAnswer& answer, std::vector<RunningContainer>& found) {
  list_runtime(crun, query, answer, found);
}

MachineFinding against(const RunningContainer& container, const DumpWish& wish) {
  if (wish.pre_dump) return trouble("runtime-pre-dump", container.engine);
  return has_program(container.engine) ? MachineFinding{} : trouble("engine-program", container.engine);
}

std::vector<std::string> words_of(const RunningContainer& container, const char* command) {
  return {container.engine, "--root", container.where, command};
}

Error dump(const RunningContainer& container, const EngineDump& dump, EngineDumpResult&) {
  std::vector<std::string> words = words_of(container, "checkpoint");
  for (const char* option : {"--image-path", "--work-path"}) words.insert(words.end(), {option, dump.directory});
  words.insert(words.end(), {"--manage-cgroups-mode", "soft"});
  if (dump.wish.leave_running) words.emplace_back("--leave-running");
  if (dump.wish.tcp) words.emplace_back("--tcp-established");
  if (dump.wish.file_locks) words.emplace_back("--file-locks");
  words.push_back(container.id);
  return run_command(words, {.seconds = 0, .stop_fd = dump.stop_fd}).error;
}

// A container that a runtime has dumped and ended is none any more: it is made anew from its bundle.
Error restore(const RunningContainer& container, const EngineRestore& restore, int& tries) {
  tries = 1;
  Error error;
  const PrivateDirectory work{error};
  if (error) return error;
  if (std::filesystem::exists(container.where + "/" + container.id)) {
    std::vector<std::string> words = words_of(container, "delete");
    words.push_back(container.id);
    if (Error wrong = run_command(words).error) return wrong;
  }
  std::vector<std::string> words = words_of(container, "restore");
  words.insert(words.end(), {"--detach", "--image-path", restore.directory, "--work-path", work.path(), "--bundle",
                             container.bundle, "--manage-cgroups-mode", "soft"});
  if (restore.tcp) words.emplace_back("--tcp-established");
  if (restore.file_locks) words.emplace_back("--file-locks");
  words.push_back(container.id);
  return run_command(words, {.seconds = 0, .stop_fd = restore.stop_fd}).error;
}

}  // namespace

constinit const Engine runc_engine{{"runc", "its directory of states"}, list_runc, against, dump, restore, nullptr};
constinit const Engine crun_engine{{"crun", "its directory of states"}, list_crun, against, dump, restore, nullptr};

}  // namespace critpipe
