// podman: its HTTP API. Its service often does not run; then one is started for as long as it is asked.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include "critpipe/json.hpp"
#include "engines/engine.hpp"
#include "engines/http_call.hpp"
#include "engines/run_command.hpp"
#include "process/program_path.hpp"
#include "engines/troubles.hpp"

namespace critpipe {

namespace {

constexpr std::string_view who = "podman";
constexpr ContainerApi http_api{who, "/v4.0.0/libpod"};

// `podman system service` on a socket of our own; it ends with this process.
class OwnService {
 public:
  // Options: those before the command.
  explicit OwnService(const std::vector<std::string>& options = {}) {
    Error error;
    directory_ = PrivateDirectory{error};
    const OwnedDescriptor null{open("/dev/null", O_WRONLY | O_CLOEXEC)};
    if (error || !null) return;
    const std::string socket = directory_.path() + "/podman.sock";
    ChildOptions how{.output = null.fd(), .error_output = null.fd()};
    how.dies_with_us = true;
    std::vector<std::string> words{"podman"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"system", "service", "--time=0", "unix://" + socket});
    if (service_.start(words, how)) return;
    constexpr int most_tries = 100;
    for (int tries = 0, status; tries < most_tries && !service_.wait_for(50, status); ++tries)
      if (http_get(socket, "/_ping").status == 200) {
        socket_ = socket;
        return;
      }
  }
  const std::string& socket() const { return socket_; }  // empty: it does not start

 private:
  PrivateDirectory directory_;
  Child service_;
  std::string socket_;
};

// Has anybody run podman here? Starting it would make its directories.
bool was_used() {
  const char* home = getenv("HOME");
  return access("/run/libpod", F_OK) == 0 || access("/var/lib/containers/storage/libpod", F_OK) == 0 ||
         (home && access((std::string{home} + "/.local/share/containers/storage").c_str(), F_OK) == 0);
}

// A socket that answers; empty: there is none.
std::string find_socket(EngineAnswer& answer) {
  std::vector<std::string> all;
  constexpr std::string_view scheme = "unix://";
  if (const char* host = getenv("CONTAINER_HOST"); host && std::string_view{host}.starts_with(scheme))
    all.emplace_back(std::string_view{host}.substr(scheme.size()));
  all.emplace_back("/run/podman/podman.sock");
  if (const char* runtime = getenv("XDG_RUNTIME_DIR")) all.push_back(std::string{runtime} + "/podman/podman.sock");
  for (const std::string& socket : all)
    if (access(socket.c_str(), F_OK) == 0 && http_get(socket, "/_ping").headers.contains("libpod-api-version"))
      return socket;
  if (!has_program("podman") || !was_used()) return {};
  answer.is_here = true;
  static const OwnService service;
  if (service.socket().empty())
    answer.error = engine_error(who, "its service does not start: podman system service says why");
  return service.socket();
}

void list(const ContainerQuery& query, EngineAnswer& answer, std::vector<RunningContainer>& found) {
  const std::string socket = find_socket(answer);
  if (socket.empty()) return;
  answer.is_here = true;
  answer.version = http_get(socket, "/_ping").headers["libpod-api-version"];
  list_containers(http_api, socket, query, answer, found);
}

MachineFinding against(const RunningContainer&, const DumpWish& wish) {
  return wish.pre_dump ? trouble("podman-pre-dump") : MachineFinding{};
}

std::string query_text(std::initializer_list<std::pair<const char*, bool>> switches) {
  std::string text;
  for (const auto& [name, is_on] : switches)
    text.append(text.empty() ? "?" : "&").append(name).append(is_on ? "=true" : "=false");
  return text;
}

Error dump(const RunningContainer& container, const EngineDump& dump, EngineDumpResult& result) {
  HttpRequest request{.socket = container.where, .method = "POST"};
  const bool exports = dump.archive_fd >= 0;
  request.path = container_path(http_api, container,
                                "/checkpoint" + query_text({{exports ? "export" : "keep", true},
                                                            {"leaveRunning", dump.wish.leave_running},
                                                            {"tcpEstablished", dump.wish.tcp},
                                                            {"fileLocks", dump.wish.file_locks}}));
  request.timeout = 0;
  request.stop_fd = dump.stop_fd;
  request.output_fd = dump.archive_fd;
  if (Error error = http_call(request).refusal(std::string{who}); error || exports) return error;
  result.kept = container.bundle + "/checkpoint";
  return copy_images(result.kept, dump.directory);
}

// podman gives a container the addresses that are written beside its bundle, as with its own checkpoints; else others.
Error keep_addresses(const RunningContainer& container, const std::string& images) {
  const std::string text = small_file(images + "/container.json");
  const JsonAnswer json{text};
  std::vector<std::string> networks;
  json.each({"networks"}, [&](const JsonAnswer& one) {
    const std::vector<std::string> addresses = one.texts({"addresses"}), gateways = one.texts({"gateways"});
    std::string subnets;
    for (std::size_t nr = 0; nr < addresses.size(); ++nr) {
      subnets.append(nr ? ", " : "").append("{\"ipnet\": ").append(json_string(addresses[nr]));
      if (nr < gateways.size()) subnets.append(", \"gateway\": ").append(json_string(gateways[nr]));
      subnets += "}";
    }
    if (!subnets.empty())
      networks.push_back("{" + json_string(one.text({"network"})) + ": {\"interfaces\": {\"eth0\": {\"mac_address\": " +
                         json_string(one.text({"mac"})) + ", \"subnets\": [" + subnets + "]}}}}");
  });
  if (networks.size() != 1) return {};  // of several, it is not known which interface is whose
  const std::string path = container.bundle + "/network.status";
  unlink(path.c_str());
  const OwnedDescriptor file{open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  const std::string& network = networks[0];
  if (!file || write(file.fd(), network.data(), network.size()) != static_cast<ssize_t>(network.size()))
    return system_error(Reason::io_write, path, errno);
  return {};
}

Error restore(const RunningContainer& container, const EngineRestore& restore, int& tries) {
  const std::string place = container.bundle + "/checkpoint";
  // It keeps one checkpoint of a container, and takes what is there.
  for (const std::string& name : names_in(place)) unlink((place + "/" + name).c_str());
  if (mkdir(place.c_str(), 0700) != 0 && errno != EEXIST) return system_error(Reason::io_write, place, errno);
  if (Error error = copy_images(restore.directory, place)) return error;
  if (Error error = keep_addresses(container, restore.directory)) return error;
  HttpRequest request{.socket = container.where, .method = "POST"};
  request.path = container_path(
      http_api, container,
      "/restore" + query_text({{"keep", true}, {"tcpEstablished", restore.tcp}, {"fileLocks", restore.file_locks}}));
  request.timeout = 0;
  request.stop_fd = restore.stop_fd;
  tries = 1;
  return http_call(request).refusal(std::string{who});
}

// A service imports with its own runtime, whatever the archive was made with, and what one has dumped the other does
// not always restore. The options of one over the same containers that imports with this runtime; none: the service
// does.
std::vector<std::string> options_for(const std::string& socket, const std::string& runtime) {
  if (runtime.empty()) return {};
  const JsonAnswer info{http_get(socket, std::string{http_api.base} + "/info").body};
  const std::string own = info.text({"host", "ociRuntime", "name"});
  if (own.empty() || own == runtime) return {};
  std::vector<std::string> options{"--runtime", runtime};
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) options.insert(options.end(), {option, value});
  };
  add("--root", info.text({"store", "graphRoot"}));
  add("--runroot", info.text({"store", "runRoot"}));
  add("--storage-driver", info.text({"store", "graphDriverName"}));
  add("--cgroup-manager", info.text({"host", "cgroupManager"}));
  return options;
}

Error import(const EngineImport& import) {
  EngineAnswer answer;
  const std::string socket = find_socket(answer);
  if (answer.error) return answer.error;
  if (socket.empty()) return engine_error(who, "it is not here, or was never used");
  HttpRequest request{.socket = socket, .method = "POST"};
  std::optional<OwnService> service;
  if (const std::vector<std::string> options = options_for(socket, import.runtime); !options.empty()) {
    request.socket = service.emplace(options).socket();
    if (request.socket.empty())
      return engine_error(who, "its service does not start with " + visible(import.runtime) +
                                   ", with which the archive was made: podman --runtime says why");
  }
  request.path = std::string{http_api.base} + "/containers/import/restore" +
                 query_text({{"import", true},
                             {"tcpEstablished", import.tcp},
                             {"fileLocks", import.file_locks},
                             {"ignoreStaticIP", !import.keeps_address},
                             {"ignoreStaticMAC", !import.keeps_address}}) +
                 "&name=" + http_escaped(import.name);
  std::string ports;
  for (const std::string& port : import.ports) ports.append(ports.empty() ? "" : " ").append(port);
  if (!ports.empty()) request.path += "&publishPorts=" + http_escaped(ports);
  request.input_fd = import.archive_fd;
  request.timeout = 0;
  request.stop_fd = import.stop_fd;
  return http_call(request).refusal(std::string{who});
}

Error changes(const RunningContainer& container, RootChanges& changes) {
  return read_changes(http_api, container, changes);
}

}  // namespace

constinit const Engine podman_engine{
    {who, "its HTTP API on a unix socket; its service is started where it does not run"},
    list,
    against,
    dump,
    restore,
    changes,
    import};

}  // namespace critpipe
