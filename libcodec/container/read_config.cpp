// Configuration of engines: what each file calls the facts.
#include "container/read_config.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "critpipe/json_value.hpp"

namespace critpipe {

namespace {

using Path = JsonValue::Path;

// Time in nanoseconds since 1970 as RFC 3339.
std::string time_text(std::int64_t nanoseconds) {
  constexpr std::int64_t second = 1000000000;
  if (nanoseconds <= 0) return {};
  const std::time_t seconds = nanoseconds / second;
  std::tm parts{};
  if (!gmtime_r(&seconds, &parts)) return {};
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return format("%s.%09ldZ", text, static_cast<long>(nanoseconds % second));
}

// Engines write year 1 where something never happened.
std::string known_time(std::string text) { return text.starts_with("0001-") ? std::string{} : text; }

std::string number_text(const JsonValue& value) {
  const auto number = value.integer();
  return number ? std::to_string(*number) : std::string{};
}

// The first that is not empty.
std::string first_text_at(const JsonValue& from, std::initializer_list<Path> paths) {
  for (const Path path : paths)
    if (std::string text = from.text(path); !text.empty()) return text;
  return {};
}

void put_texts(const JsonValue& root, Path path, std::map<std::string, std::string>& into) {
  root.members(path,
               [&](std::string_view key, const JsonValue& value) { into.try_emplace(std::string{key}, value.text()); });
}

// 40201 is 4.2.1.
std::string criu_version(const std::string& text) {
  unsigned number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || at != end || number < 10000) return text;
  const unsigned minor = number / 100 % 100, sublevel = number % 100;
  std::string version = std::to_string(number / 10000) + "." + std::to_string(minor);
  if (sublevel != 0) version.append(1, '.').append(std::to_string(sublevel));
  return version;
}

struct AnnotationRow {
  std::string_view key;
  std::string Container::*member;
};

// The prefixes differ, and so do the words of podman before it took those that engines have agreed on.
constexpr AnnotationRow checkpoint_rows[] = {
    {"engine.name", &Container::engine},
    {"engine.version", &Container::engine_version},
    {"podman.version", &Container::engine_version},
    {"container.name", &Container::name},
    {"name", &Container::name},
    {"pod.name", &Container::pod},
    {"pod.id", &Container::pod_id},
    {"pod.uid", &Container::pod_uid},
    {"pod.namespace", &Container::pod_namespace},
    {"rootfsImageName", &Container::image},
    {"rootfsImageUserRequested", &Container::image},
    {"rawImageName", &Container::image},
    {"rootfsImageID", &Container::image_id},
    {"rootfsImageSha", &Container::image_id},
    {"runtime.name", &Container::runtime},
    {"runtime.version", &Container::runtime_version},
    {"criu.version", &Container::criu_version},
    {"host.arch", &Container::architecture},
    {"host.kernel", &Container::kernel},
    {"cgroup.version", &Container::cgroup_version},
    {"cgroups.version", &Container::cgroup_version},
    {"distribution.name", &Container::distribution},
};

constexpr AnnotationRow engine_rows[] = {
    {"io.kubernetes.cri.container-name", &Container::name},
    {"io.kubernetes.cri.sandbox-name", &Container::pod},
    {"io.kubernetes.cri.sandbox-namespace", &Container::pod_namespace},
    {"io.kubernetes.cri.sandbox-id", &Container::pod_id},
    {"io.kubernetes.cri.sandbox-uid", &Container::pod_uid},
    {"io.kubernetes.cri.image-name", &Container::image},
    {"io.kubernetes.container.name", &Container::name},
    {"io.kubernetes.pod.name", &Container::pod},
    {"io.kubernetes.pod.namespace", &Container::pod_namespace},
    {"io.kubernetes.pod.uid", &Container::pod_uid},
    {"io.kubernetes.cri-o.ContainerName", &Container::name},
    {"io.kubernetes.cri-o.SandboxID", &Container::pod_id},
    {"io.kubernetes.cri-o.ImageName", &Container::image},
    {"io.kubernetes.cri-o.Created", &Container::created},
    {"io.kubernetes.cri-o.RuntimeHandler", &Container::runtime},
    {"io.kubernetes.cri-o.HostName", &Container::hostname},
    {"io.containerd.checkpoint.runtime", &Container::runtime},
    {"org.opencontainers.image.ref.name", &Container::image},
    {"io.container.manager", &Container::engine},
};

JsonValue object_in(std::string_view text, const char*& why) {
  const JsonValue root = JsonValue::in(text, why);
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (!root || text[begin] == '{') return root;
  why = "an object is missing";
  return {};
}

// Engines refuse the whole where what they read as text is of another type.
bool has_texts(const JsonValue& root, std::span<const std::string_view> keys, const char*& why) {
  if (std::ranges::none_of(keys, [&](std::string_view key) { return root.is_no_text({key}); })) return true;
  why = "a text is of another type";
  return false;
}

void put_if_empty(std::string& into, std::string text) {
  if (into.empty()) into = std::move(text);
}

void read_annotation(Container& container, std::string_view key, const std::string& value) {
  constexpr std::string_view prefixes[] = {"org.criu.checkpoint.", "io.podman.annotations.checkpoint."};
  for (const std::string_view prefix : prefixes) {
    if (!key.starts_with(prefix)) continue;
    const auto row = std::ranges::find(checkpoint_rows, key.substr(prefix.size()), &AnnotationRow::key);
    if (row != std::end(checkpoint_rows)) put_if_empty(container.*row->member, value);
    if (prefix == prefixes[1]) put_if_empty(container.engine, "podman");
    return;
  }
  const auto row = std::ranges::find(engine_rows, key, &AnnotationRow::key);
  if (row != std::end(engine_rows)) put_if_empty(container.*row->member, value);
  // Podman's pods have annotations of CRI-O, too, behind the one that says whose they are.
  if (key.starts_with("io.kubernetes.cri-o.")) put_if_empty(container.engine, "cri-o");
  else if (key.starts_with("io.kubernetes.cri.") || key.starts_with("io.containerd."))
    put_if_empty(container.engine, "containerd");
}

// CRI-O has the name in a JSON text of its own, and an address in each IP.N.
void read_crio(Container& container) {
  const auto& all = container.annotations;
  const auto metadata = all.find("io.kubernetes.cri-o.Metadata");
  const char* why = nullptr;
  const JsonValue root = metadata == all.end() ? JsonValue{} : JsonValue::in(metadata->second, why);
  if (std::string name = root.text({"name"}); !name.empty()) container.name = name;
  constexpr std::string_view address = "io.kubernetes.cri-o.IP.";
  for (auto at = all.lower_bound(std::string{address}); at != all.end() && at->first.starts_with(address); ++at)
    container.networks.push_back({{}, {}, {at->second}, {}, {}});
}

void read_annotations(Container& container) {
  for (const auto& [key, value] : container.annotations) read_annotation(container, key, value);
  if (container.engine == "libpod" || container.engine == "Podman") container.engine = "podman";
  if (container.engine == "CRI-O") container.engine = "cri-o";
  container.criu_version = criu_version(container.criu_version);
  for (std::string* text : {&container.runtime_version, &container.engine_version})
    text->erase(std::min(text->find('\n'), text->size()));
  const auto number = container.annotations.find("org.criu.checkpoint.distribution.version");
  const auto podmans = container.annotations.find("io.podman.annotations.checkpoint.distribution.version");
  for (const auto& found : {number, podmans})
    if (found != container.annotations.end() && !container.distribution.empty() && !found->second.empty()) {
      container.distribution += " " + found->second;
      break;
    }
  if (container.engine == "cri-o") read_crio(container);
}

void read_spec(const JsonValue& root, Container& container) {
  put_texts(root, {"annotations"}, container.annotations);
  read_annotations(container);
  put_if_empty(container.hostname, root.text({"hostname"}));
  container.cgroup_path = root.text({"linux", "cgroupsPath"});
  container.arguments = root.texts({"process", "args"});
  container.environment = root.texts({"process", "env"});
  container.working_directory = root.text({"process", "cwd"});
  const JsonValue uid = root.at({"process", "user", "uid"}), gid = root.at({"process", "user", "gid"});
  if (uid && gid) container.user = number_text(uid) + ":" + number_text(gid);
  root.each({"mounts"}, [&](const JsonValue& mount) {
    container.mounts.push_back({mount.text({"destination"}), mount.text({"type"}), mount.text({"source"})});
  });
}

}  // namespace

bool read_config_dump(std::string_view text, Container& container, const char*& why) {
  static constexpr std::string_view texts[] = {"id",           "name",           "rootfsImageName", "rootfsImageID",
                                               "rootfsImage",  "rootfsImageRef", "runtime",         "ociRuntime",
                                               "RawImageName", "createdTime",    "checkpointedTime"};
  const JsonValue root = object_in(text, why);
  if (!root || !has_texts(root, texts, why)) return false;
  container.id = root.text({"id"});
  container.name = root.text({"name"});
  container.image = first_text_at(root, {{"rootfsImageName"}, {"rootfsImage"}, {"RawImageName"}});
  container.image_id = first_text_at(root, {{"rootfsImageID"}, {"rootfsImageRef"}});
  container.runtime = first_text_at(root, {{"runtime"}, {"ociRuntime"}});
  container.created = known_time(root.text({"createdTime"}));
  container.dumped = known_time(root.text({"checkpointedTime"}));
  container.pod_id = root.text({"pod"});
  container.user = root.text({"user"});
  put_texts(root, {"labels"}, container.labels);
  return true;
}

bool read_runtime_spec(std::string_view text, Container& container, const char*& why) {
  const JsonValue root = object_in(text, why);
  if (!root) return false;
  read_spec(root, container);
  return true;
}

bool read_cri_status(std::string_view text, Container& container, const char*& why) {
  const JsonValue root = object_in(text, why);
  if (!root) return false;
  put_texts(root, {"labels"}, container.labels);
  for (const auto& [key, value] : container.labels) read_annotation(container, key, value);
  put_if_empty(container.name, root.text({"metadata", "name"}));
  container.id = root.text({"id"});
  container.image = root.text({"image", "image"});
  container.image_id = root.text({"image_ref"});
  if (const auto nanoseconds = root.integer({"started_at"})) container.started = time_text(*nanoseconds);
  return true;
}

bool read_network_status(std::string_view text, Container& container, const char*& why) {
  const JsonValue root = JsonValue::in(text, why);
  if (!root) return false;
  root.members({}, [&](std::string_view network, const JsonValue& status) {
    status.members({"interfaces"}, [&](std::string_view name, const JsonValue& interface) {
      ContainerNetwork found{std::string{network}, std::string{name}, {}, {}, interface.text({"mac_address"})};
      interface.each({"subnets"}, [&](const JsonValue& subnet) {
        found.addresses.push_back(subnet.text({"ipnet"}));
        if (std::string gateway = subnet.text({"gateway"}); !gateway.empty()) found.gateways.push_back(gateway);
      });
      container.networks.push_back(std::move(found));
    });
  });
  return true;
}

bool read_docker_config(std::string_view text, Container& container, const char*& why) {
  const JsonValue root = JsonValue::in(text, why);
  if (!root) return false;
  container.engine = "docker";
  container.id = root.text({"ID"});
  container.name = root.text({"Name"});
  if (container.name.starts_with('/')) container.name.erase(0, 1);
  container.image = root.text({"Config", "Image"});
  container.image_id = root.text({"Image"});
  container.created = known_time(root.text({"Created"}));
  container.started = known_time(root.text({"State", "StartedAt"}));
  container.hostname = root.text({"Config", "Hostname"});
  container.user = root.text({"Config", "User"});
  container.working_directory = root.text({"Config", "WorkingDir"});
  if (std::string path = root.text({"Path"}); !path.empty()) container.arguments.push_back(std::move(path));
  for (std::string& argument : root.texts({"Args"})) container.arguments.push_back(std::move(argument));
  container.environment = root.texts({"Config", "Env"});
  put_texts(root, {"Config", "Labels"}, container.labels);
  root.members({"MountPoints"}, [&](std::string_view, const JsonValue& mount) {
    container.mounts.push_back({mount.text({"Destination"}), mount.text({"Type"}), mount.text({"Source"})});
  });
  root.members({"NetworkSettings", "Networks"}, [&](std::string_view name, const JsonValue& network) {
    ContainerNetwork found{std::string{name}, {}, {}, {}, network.text({"MacAddress"})};
    for (const auto& [address, prefix] :
         {std::pair{"IPAddress", "IPPrefixLen"}, {"GlobalIPv6Address", "GlobalIPv6PrefixLen"}})
      if (std::string ip = network.text({address}); !ip.empty())
        found.addresses.push_back(network.at({prefix}) ? ip + "/" + number_text(network.at({prefix})) : ip);
    if (std::string gateway = network.text({"Gateway"}); !gateway.empty()) found.gateways.push_back(gateway);
    if (!found.addresses.empty() || !found.mac.empty()) container.networks.push_back(std::move(found));
  });
  return true;
}

bool read_docker_host_config(std::string_view text, Container& container, const char*& why) {
  const JsonValue root = JsonValue::in(text, why);
  if (!root) return false;
  container.runtime = root.text({"Runtime"});
  return true;
}

// An index has annotations of its own and of each manifest. A spec in an Any has bytes before and behind it.
bool read_image_annotations(std::string_view text, Container& container, const char*& why) {
  constexpr std::string_view spec_type = "opencontainers/runtime-spec";
  const bool is_any = text.substr(0, 128).find(spec_type) != text.npos;
  if (is_any) {
    const std::size_t begin = text.find('{'), end = text.rfind('}');
    if (begin == text.npos || end == text.npos || end < begin) return true;
    text = text.substr(begin, end - begin + 1);
  } else if (!text.starts_with('{')) {
    return true;
  }
  const JsonValue root = JsonValue::in(text, why);
  if (!root) return false;
  if (is_any) {
    read_spec(root, container);
    return true;
  }
  put_texts(root, {"annotations"}, container.annotations);
  root.each({"manifests"}, [&](const JsonValue& manifest) {
    std::map<std::string, std::string> own;
    put_texts(manifest, {"annotations"}, own);
    for (const char* name_of_image : {"org.opencontainers.image.ref.name", "io.containerd.image.name"})
      own.erase(name_of_image);  // the checkpoint's, not the container's
    container.annotations.merge(own);
  });
  read_annotations(container);
  return true;
}

bool read_dump_log(std::string_view text, Container& container, const char*&) {
  const auto word_behind = [&](std::string_view mark) {
    const std::size_t at = text.find(mark);
    if (at == text.npos) return std::string{};
    const std::string_view rest = text.substr(at + mark.size());
    return std::string{rest.substr(0, rest.find_first_of(" \n"))};
  };
  container.criu_version = word_behind(") Version: ");
  container.host = word_behind(") Running on ");
  if (!container.host.empty()) container.kernel = word_behind(") Running on " + container.host + " Linux ");
  return true;
}

}  // namespace critpipe
