// What docker's API and libpod's say of a container.
#include <algorithm>

#include "engines/engine.hpp"
#include "engines/http_call.hpp"

namespace critpipe {

namespace {

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? std::string{} : path.substr(0, slash);
}

void read_networks(const JsonAnswer& json, RunningContainer& container) {
  json.members({"NetworkSettings", "Networks"}, [&](std::string_view name, const JsonAnswer& one) {
    ContainerNetwork network;
    network.network = name;
    const auto put = [&](const char* address, const char* length) {
      std::string text = one.text({address});
      if (text.empty()) return;
      if (const std::int64_t bits = one.number({length})) text += "/" + std::to_string(bits);
      network.addresses.push_back(std::move(text));
    };
    put("IPAddress", "IPPrefixLen");
    put("GlobalIPv6Address", "GlobalIPv6PrefixLen");
    if (std::string gateway = one.text({"Gateway"}); !gateway.empty()) network.gateways.push_back(std::move(gateway));
    network.mac = one.text({"MacAddress"});
    container.networks.push_back(std::move(network));
  });
}

}  // namespace

void read_inspection(const JsonAnswer& json, RunningContainer& container) {
  container.id = json.text({"Id"});
  container.name = json.text({"Name"});
  if (container.name.starts_with('/')) container.name.erase(0, 1);
  container.state = json.text({"State", "Status"});
  const std::int64_t pid = json.number({"State", "Pid"});
  container.pid = pid > 0 && pid <= INT32_MAX ? static_cast<pid_t>(pid) : 0;
  container.created = json.text({"Created"});
  container.has_terminal = json.is_on({"Config", "Tty"});
  container.image = json.text({"ImageName"});
  if (container.image.empty()) container.image = json.text({"Config", "Image"});
  container.runtime = json.text({"OCIRuntime"});
  if (container.runtime.empty()) container.runtime = json.text({"HostConfig", "Runtime"});
  container.bundle = directory_of(json.text({"OCIConfigPath"}));
  container.root = json.text({"GraphDriver", "Data", "MergedDir"});
  read_networks(json, container);
}

std::string container_path(const ContainerApi& api, const RunningContainer& container, std::string_view rest) {
  return std::string{api.base}.append("/containers/").append(http_escaped(container.id)).append(rest);
}

void list_containers(const ContainerApi& api, const std::string& socket, const ContainerQuery& query,
                     EngineAnswer& answer, std::vector<RunningContainer>& found) {
  const HttpAnswer list =
      http_get(socket, std::string{api.base} + "/containers/json?all=" + (query.all ? "true" : "false"));
  answer.error = list.refusal(socket);
  if (answer.error) return;
  JsonAnswer{list.body}.each({}, [&](const JsonAnswer& one) {
    RunningContainer container;
    container.id = one.text({"Id"});
    const HttpAnswer inspection = http_get(socket, container_path(api, container, "/json"));
    if (inspection.error || inspection.status != 200 || found.size() >= most_containers) return;  // it is gone
    read_inspection(JsonAnswer{inspection.body}, container);
    container.engine = api.who;
    container.where = socket;
    container.inspection = inspection.body;
    found.push_back(std::move(container));
  });
}

Error read_changes(const ContainerApi& api, const RunningContainer& container, RootChanges& changes) {
  const HttpAnswer answer = http_get(container.where, container_path(api, container, "/changes"));
  if (Error error = answer.refusal(std::string{api.who})) return error;
  changes.is_known = true;
  constexpr std::int64_t deleted = 2;
  JsonAnswer{answer.body}.each({}, [&](const JsonAnswer& one) {
    auto& list = one.number({"Kind"}) == deleted ? changes.deleted : changes.changed;
    list.push_back(one.text({"Path"}));
  });
  return {};
}

}  // namespace critpipe
