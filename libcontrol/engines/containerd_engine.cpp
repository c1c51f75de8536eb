// containerd: its directories of tasks, and ctr for what they do not have. Its gRPC API says no more, and would need
// HTTP/2 and its messages in every program.
#include <unistd.h>

#include <charconv>

#include "engines/engine.hpp"
#include "engines/run_command.hpp"
#include "process/program_path.hpp"
#include "engines/troubles.hpp"

namespace critpipe {

namespace {

constexpr std::string_view who = "containerd";
constexpr const char* places[] = {"/run/containerd", "/run/k3s/containerd"};
constexpr const char* tasks = "/io.containerd.runtime.v2.task";

// "/run/containerd/io.containerd.runtime.v2.task/default": its socket and the namespace.
std::string socket_of(const std::string& where) { return where.substr(0, where.find(tasks)) + "/containerd.sock"; }
std::string namespace_of(const std::string& where) { return where.substr(where.rfind('/') + 1); }

std::vector<std::string> ctr(const RunningContainer& container, std::initializer_list<const char*> rest) {
  std::vector<std::string> words{"ctr", "--address", socket_of(container.where), "--namespace",
                                 namespace_of(container.where)};
  words.insert(words.end(), rest.begin(), rest.end());
  return words;
}

void read_annotations(const JsonAnswer& spec, RunningContainer& container) {
  for (const char* key : {"io.kubernetes.cri.container-name", "nerdctl/name"})
    if (std::string name = spec.text({"annotations", key}); !name.empty()) container.name = name;
  container.image = spec.text({"annotations", "io.kubernetes.cri.image-name"});
}

// What ctr knows beside it: image and runtime.
void ask_ctr(RunningContainer& container) {
  std::vector<std::string> words = ctr(container, {"containers", "info"});
  words.push_back(container.id);
  const CommandAnswer answer = run_command(words);
  if (answer.error) return;
  const JsonAnswer json{answer.output};
  if (container.image.empty()) container.image = json.text({"Image"});
  container.runtime = json.text({"Runtime", "Name"});
  container.created = json.text({"CreatedAt"});
}

void list_namespace(const std::string& where, EngineAnswer& answer, std::vector<RunningContainer>& found) {
  for (const std::string& id : names_in(where)) {
    RunningContainer container;
    container.engine = who;
    container.id = container.name = id;
    container.where = where;
    container.bundle = where + "/" + id;
    const std::string pid = small_file(container.bundle + "/init.pid");
    std::from_chars(pid.data(), pid.data() + pid.size(), container.pid);
    const JsonAnswer spec{small_file(container.bundle + "/config.json")};
    if (!spec || found.size() >= most_containers) continue;
    answer.is_here = true;
    if (container.pid <= 0 || !is_process(container.pid, container.start_time)) continue;  // its end is not yet noticed
    container.cgroups = cgroups_of(container.pid);
    container.state = is_frozen(container) ? "paused" : "running";
    container.has_terminal = spec.is_on({"process", "terminal"});
    container.root = container.bundle + "/rootfs";
    read_annotations(spec, container);
    if (has_program("ctr")) ask_ctr(container);
    found.push_back(std::move(container));
  }
}

void list(const ContainerQuery&, EngineAnswer& answer, std::vector<RunningContainer>& found) {
  for (const std::string place : places) {
    if (access((place + "/containerd.sock").c_str(), F_OK) == 0) answer.is_here = true;
    for (const std::string& space : names_in(place + tasks))
      if (space != "moby") list_namespace(place + tasks + "/" + space, answer, found);  // moby: docker's
  }
}

MachineFinding against(const RunningContainer&, const DumpWish& wish) {
  if (!has_program("ctr")) return trouble("engine-program", "ctr");
  return wish.tcp || wish.file_locks || wish.pre_dump ? trouble("containerd-options") : MachineFinding{};
}

Error dump(const RunningContainer& container, const EngineDump& dump, EngineDumpResult&) {
  std::vector<std::string> words = ctr(container, {"tasks", "checkpoint", "--image-path"});
  words.push_back(dump.directory);
  if (!dump.wish.leave_running) words.emplace_back("--exit");
  words.push_back(container.id);
  return run_command(words, {.seconds = 0, .stop_fd = dump.stop_fd}).error;
}

}  // namespace

constinit const Engine containerd_engine{
    {who, "its directories of tasks, and ctr"}, list, against, dump, nullptr, nullptr};

}  // namespace critpipe
