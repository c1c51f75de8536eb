// Configuration of engines: what each file calls the facts.
#include "container/read_config.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "container/json_values.hpp"

namespace critpipe {

namespace {

// Time in nanoseconds since 1970 as RFC 3339.
std::string time_text(std::int64_t nanoseconds) {
  constexpr std::int64_t second = 1000000000;
  if (nanoseconds <= 0) return {};
  const std::time_t seconds = nanoseconds / second;
  std::tm parts{};
  if (!gmtime_r(&seconds, &parts)) return {};
  char text[64], all[96];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(all, sizeof all, "%s.%09ldZ", text, static_cast<long>(nanoseconds % second));
  return all;
}

// Engines write year 1 where something never happened.
std::string known_time(std::string text) { return text.starts_with("0001-") ? std::string{} : text; }

std::string number_text(dom::element value) {
  std::int64_t number = 0;
  return value.get_int64().get(number) == simdjson::SUCCESS ? std::to_string(number) : std::string{};
}

void put_texts(dom::element root, Path path, std::map<std::string, std::string>& into) {
  each_member(root, path,
              [&](std::string_view key, dom::element value) { into.try_emplace(std::string{key}, text_in(value)); });
}

// 40201 is 4.2.1.
std::string criu_version(const std::string& text) {
  unsigned number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || at != end || number < 10000) return text;
  const unsigned minor = number / 100 % 100, sublevel = number % 100;
  return std::to_string(number / 10000) + "." + std::to_string(minor) +
         (sublevel == 0 ? "" : "." + std::to_string(sublevel));
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
  dom::parser parser;
  dom::element root;
  const char* why = nullptr;
  if (metadata != all.end() && parse(parser, metadata->second, root, why))
    if (std::string name = text_at(root, {"name"}); !name.empty()) container.name = name;
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

void read_spec(dom::element root, Container& container) {
  put_texts(root, {"annotations"}, container.annotations);
  read_annotations(container);
  put_if_empty(container.hostname, text_at(root, {"hostname"}));
  container.cgroup_path = text_at(root, {"linux", "cgroupsPath"});
  container.arguments = texts_at(root, {"process", "args"});
  container.environment = texts_at(root, {"process", "env"});
  container.working_directory = text_at(root, {"process", "cwd"});
  dom::element uid, gid;
  if (find(root, {"process", "user", "uid"}, uid) && find(root, {"process", "user", "gid"}, gid))
    container.user = number_text(uid) + ":" + number_text(gid);
  each_in_list(root, {"mounts"}, [&](dom::element mount) {
    container.mounts.push_back({text_at(mount, {"destination"}), text_at(mount, {"type"}), text_at(mount, {"source"})});
  });
}

}  // namespace

bool read_config_dump(std::string_view text, Container& container, const char*& why) {
  dom::parser parser;
  dom::element root;
  if (!parse(parser, text, root, why)) return false;
  container.id = text_at(root, {"id"});
  container.name = text_at(root, {"name"});
  container.image = first_text_at(root, {{"rootfsImageName"}, {"rootfsImage"}, {"RawImageName"}});
  container.image_id = first_text_at(root, {{"rootfsImageID"}, {"rootfsImageRef"}});
  container.runtime = first_text_at(root, {{"runtime"}, {"ociRuntime"}});
  container.created = known_time(text_at(root, {"createdTime"}));
  container.dumped = known_time(text_at(root, {"checkpointedTime"}));
  container.pod_id = text_at(root, {"pod"});
  container.user = text_at(root, {"user"});
  put_texts(root, {"labels"}, container.labels);
  return true;
}

bool read_runtime_spec(std::string_view text, Container& container, const char*& why) {
  dom::parser parser;
  dom::element root;
  if (!parse(parser, text, root, why)) return false;
  read_spec(root, container);
  return true;
}

bool read_cri_status(std::string_view text, Container& container, const char*& why) {
  dom::parser parser;
  dom::element root;
  if (!parse(parser, text, root, why)) return false;
  put_texts(root, {"labels"}, container.labels);
  for (const auto& [key, value] : container.labels) read_annotation(container, key, value);
  put_if_empty(container.name, text_at(root, {"metadata", "name"}));
  container.id = text_at(root, {"id"});
  container.image = text_at(root, {"image", "image"});
  container.image_id = text_at(root, {"image_ref"});
  dom::element started;
  std::int64_t nanoseconds = 0;
  if (find(root, {"started_at"}, started) && started.get_int64().get(nanoseconds) == simdjson::SUCCESS)
    container.started = time_text(nanoseconds);
  return true;
}

bool read_network_status(std::string_view text, Container& container, const char*& why) {
  dom::parser parser;
  dom::element root;
  if (!parse(parser, text, root, why)) return false;
  each_member(root, {}, [&](std::string_view network, dom::element status) {
    each_member(status, {"interfaces"}, [&](std::string_view name, dom::element interface) {
      ContainerNetwork found{std::string{network}, std::string{name}, {}, {}, text_at(interface, {"mac_address"})};
      each_in_list(interface, {"subnets"}, [&](dom::element subnet) {
        found.addresses.push_back(text_at(subnet, {"ipnet"}));
        if (std::string gateway = text_at(subnet, {"gateway"}); !gateway.empty()) found.gateways.push_back(gateway);
      });
      container.networks.push_back(std::move(found));
    });
  });
  return true;
}

bool read_docker_config(std::string_view text, Container& container, const char*& why) {
  dom::parser parser;
  dom::element root;
  if (!parse(parser, text, root, why)) return false;
  container.engine = "docker";
  container.id = text_at(root, {"ID"});
  container.name = text_at(root, {"Name"});
  if (container.name.starts_with('/')) container.name.erase(0, 1);
  container.image = text_at(root, {"Config", "Image"});
  container.image_id = text_at(root, {"Image"});
  container.created = known_time(text_at(root, {"Created"}));
  container.started = known_time(text_at(root, {"State", "StartedAt"}));
  container.hostname = text_at(root, {"Config", "Hostname"});
  container.user = text_at(root, {"Config", "User"});
  container.working_directory = text_at(root, {"Config", "WorkingDir"});
  if (std::string path = text_at(root, {"Path"}); !path.empty()) container.arguments.push_back(std::move(path));
  for (std::string& argument : texts_at(root, {"Args"})) container.arguments.push_back(std::move(argument));
  container.environment = texts_at(root, {"Config", "Env"});
  put_texts(root, {"Config", "Labels"}, container.labels);
  each_member(root, {"MountPoints"}, [&](std::string_view, dom::element mount) {
    container.mounts.push_back({text_at(mount, {"Destination"}), text_at(mount, {"Type"}), text_at(mount, {"Source"})});
  });
  each_member(root, {"NetworkSettings", "Networks"}, [&](std::string_view name, dom::element network) {
    ContainerNetwork found{std::string{name}, {}, {}, {}, text_at(network, {"MacAddress"})};
    dom::element length;
    for (const auto& [address, prefix] :
         {std::pair{"IPAddress", "IPPrefixLen"}, {"GlobalIPv6Address", "GlobalIPv6PrefixLen"}})
      if (std::string ip = text_at(network, {address}); !ip.empty())
        found.addresses.push_back(find(network, {prefix}, length) ? ip + "/" + number_text(length) : ip);
    if (std::string gateway = text_at(network, {"Gateway"}); !gateway.empty()) found.gateways.push_back(gateway);
    if (!found.addresses.empty() || !found.mac.empty()) container.networks.push_back(std::move(found));
  });
  return true;
}

bool read_docker_host_config(std::string_view text, Container& container, const char*& why) {
  dom::parser parser;
  dom::element root;
  if (!parse(parser, text, root, why)) return false;
  container.runtime = text_at(root, {"Runtime"});
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
  dom::parser parser;
  dom::element root;
  if (!parse(parser, text, root, why)) return false;
  if (is_any) {
    read_spec(root, container);
    return true;
  }
  put_texts(root, {"annotations"}, container.annotations);
  each_in_list(root, {"manifests"}, [&](dom::element manifest) {
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
