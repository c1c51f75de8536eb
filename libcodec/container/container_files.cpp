// Which files say something, and which of them is believed.
#include <algorithm>
#include <iterator>
#include <map>

#include "base/path_names.hpp"
#include "container/read_config.hpp"

namespace critpipe {

namespace {

struct FileRow {
  std::string_view name;
  ReadConfig* read;
};

// What stands first is believed: a spec has the container's own name, where config.dump has one with the pod in it.
constexpr FileRow rows[] = {
    {"spec.dump", read_runtime_spec},
    {"status.dump", read_cri_status},
    {"config.dump", read_config_dump},
    {"config.v2.json", read_docker_config},
    {"hostconfig.json", read_docker_host_config},
    {"config.json", read_runtime_spec},
    {"network.status", read_network_status},
    {"dump.log", read_dump_log},
};

constexpr std::size_t digest_digits = 64;

std::string_view outer_of(std::string_view directory) {
  const std::size_t slash = directory.rfind('/');
  return slash == directory.npos ? std::string_view{} : directory.substr(0, slash);
}

}  // namespace

bool is_container_file(std::string_view name) {
  return name == "index.json" || std::ranges::find(rows, name, &FileRow::name) != std::end(rows);
}

bool is_container_blob(std::string_view name) {
  return name.size() == digest_digits && name.find_first_not_of("0123456789abcdef") == name.npos;
}

void Container::complete(Container&& other) {
  const auto put = [](std::string& into, std::string& from) {
    if (into.empty()) into = std::move(from);
  };
  static constexpr std::string Container::*texts[] = {
      &Container::engine,       &Container::engine_version,
      &Container::name,         &Container::id,
      &Container::image,        &Container::image_id,
      &Container::runtime,      &Container::runtime_version,
      &Container::created,      &Container::started,
      &Container::dumped,       &Container::criu_version,
      &Container::pod,          &Container::pod_id,
      &Container::pod_uid,      &Container::pod_namespace,
      &Container::hostname,     &Container::host,
      &Container::kernel,       &Container::architecture,
      &Container::user,         &Container::working_directory,
      &Container::distribution, &Container::cgroup_version,
      &Container::cgroup_path,
  };
  for (const auto text : texts) put(this->*text, other.*text);
  if (arguments.empty()) arguments = std::move(other.arguments);
  if (environment.empty()) environment = std::move(other.environment);
  if (networks.empty()) networks = std::move(other.networks);
  if (mounts.empty()) mounts = std::move(other.mounts);
  annotations.merge(other.annotations);
  labels.merge(other.labels);
}

struct ContainerFiles::Work {
  std::map<SetId, std::map<int, Container>> files;  // by the order in which they are believed
  std::map<std::string, Container> images;          // by input: what a container image says
};

ContainerFiles::ContainerFiles() : work_{std::make_unique<Work>()} {}
ContainerFiles::~ContainerFiles() = default;

Error ContainerFiles::add(const SetId& id, std::string_view name, std::string_view text) {
  Container read;
  const char* why = nullptr;
  const auto row = std::ranges::find(rows, name, &FileRow::name);
  const bool is_file = row != std::end(rows);
  if (!(is_file ? row->read : read_image_annotations)(text, read, why))
    return {.reason = Reason::bad_json, .image = std::string{name}, .name = why};
  if (is_file) work_->files[{id.checkpoint, id.set}].try_emplace(static_cast<int>(row - rows), std::move(read));
  else work_->images[id.checkpoint].complete(std::move(read));
  return {};
}

// Docker keeps the configuration two directories above the images, a bundle one.
Container ContainerFiles::of(const SetId& id) const {
  Container container;
  const auto take = [&](std::string_view directory, auto wanted) {
    const auto found = work_->files.find({id.checkpoint, std::string{directory}});
    if (found == work_->files.end()) return;
    for (const auto& [order, file] : found->second)
      if (wanted(rows[order].name)) container.complete(Container{file});
  };
  const auto is_beside = [](std::string_view name) { return name != "config.json" && name != "config.v2.json"; };
  take(id.set, is_beside);
  // What stands beside a dump is its pre-dumps', too.
  if (const Generation generation = generation_of(id.set); generation.number > 0) take(generation.base, is_beside);
  const std::string_view above = outer_of(id.set);
  const auto is_above = [](std::string_view name) {
    return name == "config.v2.json" || name == "hostconfig.json" || name == "config.json";
  };
  if (last_part(above) == "checkpoints") take(outer_of(above), is_above);
  else if (!id.set.empty()) take(above, is_above);
  take(id.set, is_above);
  if (const auto image = work_->images.find(id.checkpoint); image != work_->images.end())
    container.complete(Container{image->second});
  // An engine that names itself nowhere is containerd.
  if (container.engine.empty() && container.runtime.starts_with("io.containerd.")) container.engine = "containerd";
  // Without its CRI it has the container's id there alone.
  if (container.engine == "containerd" && container.id.empty()) container.id = last_part(container.cgroup_path);
  return container;
}

}  // namespace critpipe
