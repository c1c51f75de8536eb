// docker: its HTTP API. Facts that shape this: checkpoints exist only where the daemon is experimental; no option of
// CRIU can be passed; a first start from a checkpoint often fails, and a second checkpoint of a container that was left
// running fails and ends it.
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "critpipe/json.hpp"
#include "engines/docker_api.hpp"
#include "engines/engine.hpp"
#include "engines/http_call.hpp"
#include "engines/troubles.hpp"

namespace critpipe {

namespace {

using docker::http_api;
using docker::who;

std::vector<std::string> sockets() {
  std::vector<std::string> all;
  if (const char* host = getenv("DOCKER_HOST"); host && *host) {
    const std::string_view text = host;
    constexpr std::string_view scheme = "unix://";
    if (text.starts_with(scheme)) all.emplace_back(text.substr(scheme.size()));
    return all;
  }
  all.emplace_back("/var/run/docker.sock");
  if (const char* runtime = getenv("XDG_RUNTIME_DIR")) all.push_back(std::string{runtime} + "/docker.sock");
  return all;
}

// Where the daemon's containerd keeps the bundle.
std::string bundle_of(const std::string& id) {
  for (const char* state : {"/run/docker/containerd/daemon", "/run/containerd"}) {
    std::string path = std::string{state} + "/io.containerd.runtime.v2.task/moby/" + id;
    if (access((path + "/config.json").c_str(), R_OK) == 0) return path;
  }
  return {};
}

void list_socket(const std::string& socket, const ContainerQuery& query, EngineAnswer& answer,
                 std::vector<RunningContainer>& found) {
  const HttpAnswer ping = http_get(socket, "/_ping");
  if (ping.headers.contains("libpod-api-version")) return;  // podman's, under docker's name
  answer.is_here = true;
  answer.error = ping.refusal(socket);
  if (answer.error) return;
  answer.version = JsonAnswer{http_get(socket, "/version").body}.text({"Version"});
  list_containers(http_api, socket, query, answer, found);
  for (RunningContainer& container : found)
    if (container.engine == who) container.bundle = bundle_of(container.id);
}

void list(const ContainerQuery& query, EngineAnswer& answer, std::vector<RunningContainer>& found) {
  for (const std::string& socket : sockets())
    if (!answer.is_here && access(socket.c_str(), F_OK) == 0) list_socket(socket, query, answer, found);
}

std::size_t nr_checkpoints(const RunningContainer& container) {
  std::size_t count = 0;
  JsonAnswer{http_get(container.where, container_path(http_api, container, "/checkpoints")).body}.each(
      {}, [&](const JsonAnswer&) { ++count; });
  return count;
}

MachineFinding against(const RunningContainer& container, const DumpWish& wish) {
  if (!docker::is_experimental(container.where)) return trouble("docker-experimental");
  if (wish.pre_dump) return trouble("docker-pre-dump");
  if (docker::against_options(wish.tcp, wish.file_locks)) return trouble("docker-options");
  if (wish.leave_running && nr_checkpoints(container) > 0) return trouble("docker-second-checkpoint");
  MachineFinding finding;
  if (wish.leave_running) finding = trouble("docker-first-checkpoint");
  finding.severity = Severity::warning;
  return finding;
}

// A container that is held still, and goes on when the object goes. docker makes a checkpoint of one as it does of any.
class Held {
 public:
  explicit Held(const RunningContainer& container) : container_{container} {}
  ~Held() { (void)end(); }  // one that has ended since has nothing to go on with
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  Error begin() {
    Error error = call("/pause");
    is_held_ = !error;
    return error;
  }
  Error end() { return std::exchange(is_held_, false) ? call("/unpause") : Error{}; }

 private:
  Error call(std::string_view what) const {
    return http_call({.socket = container_.where, .method = "POST", .path = container_path(http_api, container_, what)})
        .refusal(std::string{who});
  }

  const RunningContainer& container_;
  bool is_held_ = false;
};

Error dump(const RunningContainer& container, const EngineDump& dump, EngineDumpResult& result) {
  Held held{container};
  if (dump.while_held) {
    Error error = held.begin();
    if (!error) error = dump.while_held();
    if (error) return error;
  }
  HttpRequest request{
      .socket = container.where, .method = "POST", .path = container_path(http_api, container, "/checkpoints")};
  request.body = "{\"CheckpointID\": " + json_string(dump.name) +
                 ", \"Exit\": " + (dump.wish.leave_running ? "false" : "true") + "}";
  request.timeout = 0;
  request.stop_fd = dump.stop_fd;
  if (Error error = http_call(request).refusal(std::string{who})) return error;
  result.kept = docker::home_of(container) + "/checkpoints/" + dump.name;
  Error error = copy_images(result.kept, dump.directory);
  if (!error && dump.wish.leave_running) error = held.end();
  return error;
}

Error restore(const RunningContainer& container, const EngineRestore& restore, int& tries) {
  if (Error error = docker::against_options(restore.tcp, restore.file_locks)) return error;
  const std::string home = docker::home_of(container);
  std::string name = restore.name, place;
  Error error = docker::new_checkpoint(home, name, place);
  if (!error) error = copy_images(restore.directory, place);
  if (!error) docker::keep_images(place);
  return error ? error : docker::start(container, name, restore.stop_fd, tries);
}

Error changes(const RunningContainer& container, RootChanges& changes) {
  return read_changes(http_api, container, changes);
}

}  // namespace

constinit const Engine docker_engine{
    {who, "its HTTP API on a unix socket"}, list, against, dump, restore, changes, nullptr, docker::copy};

}  // namespace critpipe
