// docker: its HTTP API. Facts that shape this: checkpoints exist only where the daemon is experimental; no option of
// CRIU can be passed; a first start from a checkpoint often fails, and a second checkpoint of a container that was left
// running fails and ends it.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "critpipe/json.hpp"
#include "engines/engine.hpp"
#include "engines/http_call.hpp"
#include "engines/troubles.hpp"
#include "process/proc_text.hpp"

namespace critpipe {

namespace {

constexpr std::string_view who = "docker";
constexpr ContainerApi http_api{who, "/v1.41"};  // of docker 20.10, which knows all that is asked here

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

// docker passes no options on; runc reads them here.
bool is_configured(std::string_view option) {
  const std::string text = small_file("/etc/criu/runc.conf");
  for (const std::string_view line : lines_of(text))
    if (const auto words = words_of(line); words.size() == 1 && words[0] == option) return true;
  return false;
}

bool are_configured(bool tcp, bool file_locks) {
  return (!tcp || is_configured("tcp-established")) && (!file_locks || is_configured("file-locks"));
}

MachineFinding against(const RunningContainer& container, const DumpWish& wish) {
  const HttpAnswer ping = http_get(container.where, "/_ping");
  const auto experimental = ping.headers.find("docker-experimental");
  if (experimental == ping.headers.end() || experimental->second != "true") return trouble("docker-experimental");
  if (wish.pre_dump) return trouble("docker-pre-dump");
  if (!are_configured(wish.tcp, wish.file_locks)) return trouble("docker-options");
  if (wish.leave_running && nr_checkpoints(container) > 0) return trouble("docker-second-checkpoint");
  MachineFinding finding;
  if (wish.leave_running) finding = trouble("docker-first-checkpoint");
  finding.severity = Severity::warning;
  return finding;
}

// The daemon keeps what belongs to a container together.
std::string home_of(const RunningContainer& container) {
  const HttpAnswer inspection = http_get(container.where, container_path(http_api, container, "/json"));
  const std::string hosts = JsonAnswer{inspection.body}.text({"HostsPath"});
  const std::string log = JsonAnswer{inspection.body}.text({"LogPath"});
  const std::string& path = hosts.empty() ? log : hosts;
  return path.substr(0, path.rfind('/') == path.npos ? 0 : path.rfind('/'));
}

Error dump(const RunningContainer& container, const EngineDump& dump, EngineDumpResult& result) {
  HttpRequest request{
      .socket = container.where, .method = "POST", .path = container_path(http_api, container, "/checkpoints")};
  request.body = "{\"CheckpointID\": " + json_string(dump.name) +
                 ", \"Exit\": " + (dump.wish.leave_running ? "false" : "true") + "}";
  request.timeout = 0;
  request.stop_fd = dump.stop_fd;
  if (Error error = http_call(request).refusal(std::string{who})) return error;
  result.kept = home_of(container) + "/checkpoints/" + dump.name;
  return copy_images(result.kept, dump.directory);
}

// Puts the images where docker looks for checkpoints, by that name or, where there is one already, by another one.
Error put_checkpoint(const std::string& home, const EngineRestore& restore, std::string& name) {
  const std::string above = home + "/checkpoints";
  if (mkdir(above.c_str(), 0700) != 0 && errno != EEXIST) return system_error(Reason::io_write, above, errno);
  constexpr int most_names = 1000;
  for (int nr = 0; nr < most_names; ++nr) {
    name = restore.name + (nr ? "-" + std::to_string(nr) : "");
    const std::string place = above + "/" + name;
    if (mkdir(place.c_str(), 0700) == 0) return copy_images(restore.directory, place);
    if (errno != EEXIST) return system_error(Reason::io_write, place, errno);
  }
  return system_error(Reason::io_write, above + "/" + name, EEXIST);
}

Error restore(const RunningContainer& container, const EngineRestore& restore, int& tries) {
  if (!are_configured(restore.tcp, restore.file_locks))
    return engine_error(who,
                        "it passes no options to CRIU (write tcp-established or file-locks into /etc/criu/runc.conf)");
  const std::string home = home_of(container);
  if (home.empty()) return engine_error(who, "it does not say where it keeps " + visible(container.name));
  std::string name;
  if (Error error = put_checkpoint(home, restore, name)) return error;
  HttpRequest request{.socket = container.where, .method = "POST"};
  request.path = container_path(http_api, container, "/start?checkpoint=" + http_escaped(name));
  request.timeout = 0;
  request.stop_fd = restore.stop_fd;
  constexpr int most_tries = 3;
  for (tries = 1;; ++tries) {
    const Error error = http_call(request).refusal(std::string{who});
    if (!error || tries == most_tries || error.name.find("already exists") == std::string::npos) return error;
  }
}

Error changes(const RunningContainer& container, RootChanges& changes) {
  return read_changes(http_api, container, changes);
}

}  // namespace

constinit const Engine docker_engine{{who, "its HTTP API on a unix socket"}, list, against, dump, restore, changes};

}  // namespace critpipe
