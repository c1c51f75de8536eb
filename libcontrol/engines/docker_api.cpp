#include "engines/docker_api.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engines/http_call.hpp"
#include "process/proc_text.hpp"

namespace critpipe::docker {

namespace {

bool is_configured(std::string_view option) {
  const std::string text = small_file("/etc/criu/runc.conf");
  for (const std::string_view line : lines_of(text))
    if (const auto words = words_of(line); words.size() == 1 && words[0] == option) return true;
  return false;
}

}  // namespace

bool is_experimental(const std::string& socket) {
  const HttpAnswer ping = http_get(socket, "/_ping");
  const auto experimental = ping.headers.find("docker-experimental");
  return experimental != ping.headers.end() && experimental->second == "true";
}

Error against_options(bool tcp, bool file_locks) {
  if ((!tcp || is_configured("tcp-established")) && (!file_locks || is_configured("file-locks"))) return {};
  return engine_error(who,
                      "it passes no options to CRIU (write tcp-established or file-locks into /etc/criu/runc.conf)");
}

std::string root_of(const std::string& socket) {
  return JsonAnswer{http_get(socket, std::string{http_api.base} + "/info").body}.text({"DockerRootDir"});
}

std::string home_of(const RunningContainer& container) {
  const HttpAnswer inspection = http_get(container.where, container_path(http_api, container, "/json"));
  const JsonAnswer json{inspection.body};
  std::string path = json.text({"HostsPath"});
  if (path.empty()) path = json.text({"LogPath"});
  if (path.empty()) return root_of(container.where) + "/containers/" + container.id;  // it has not run yet
  return path.substr(0, path.rfind('/') == path.npos ? 0 : path.rfind('/'));
}

Error new_checkpoint(const std::string& home, std::string& name, std::string& place) {
  const std::string above = home + "/checkpoints", wanted = name;
  if (mkdir(above.c_str(), 0700) != 0 && errno != EEXIST) return system_error(Reason::io_write, above, errno);
  constexpr int most_names = 1000;
  for (int nr = 0; nr < most_names; ++nr) {
    name = wanted + (nr ? "-" + std::to_string(nr) : "");
    place = above + "/" + name;
    if (mkdir(place.c_str(), 0700) == 0) return {};
    if (errno != EEXIST) break;
  }
  return system_error(Reason::io_write, place, errno);
}

void keep_images(const std::string& place) {
  for (const char* name : {"rootfs-diff.tar", "deleted.files", "container.json", "spec.dump"})
    (void)unlink((place + "/" + name).c_str());
}

std::vector<std::string> layers_of(const JsonAnswer& inspection) {
  const std::string text = inspection.text({"GraphDriver", "Data", "LowerDir"});
  std::vector<std::string> layers;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(':', at), text.size());
    layers.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return layers;
}

Error start(const RunningContainer& container, const std::string& checkpoint, int stop_fd, int& tries) {
  HttpRequest request{.socket = container.where, .method = "POST"};
  request.path = container_path(http_api, container, "/start?checkpoint=" + http_escaped(checkpoint));
  request.timeout = 0;
  request.stop_fd = stop_fd;
  constexpr int most_tries = 3;
  for (tries = 1;; ++tries) {
    const Error error = http_call(request).refusal(std::string{who});
    if (!error || tries == most_tries || error.name.find("already exists") == std::string::npos) return error;
  }
}

}  // namespace critpipe::docker
