// container: What container engines write beside the images of a checkpoint: which container it is, of which image, pod
// and engine, with which mounts, networks and environment.
//
//     ContainerFiles files;
//     if (is_container_file("config.dump")) error = files.add(id, "config.dump", text);
//     const Container container = files.of(id);
//     if (!container.name.empty()) printf("%s runs %s\n", container.name.c_str(), container.image.c_str());
//
//     config.dump spec.dump network.status status.dump dump.log     podman, CRI-O, containerd
//     config.v2.json hostconfig.json                                docker, two directories above the images
//     config.json                                                   runc and crun: the bundle
//     annotations of an index or manifest, a spec in an Any         container images that hold a checkpoint
//
// The text is from a checkpoint and may say anything: a file is bounded in size, and a value that is not of the
// expected type counts as absent. Nothing throws except std::bad_alloc. For one thread at a time.
//
// Sources of the facts: podman's, CRI-O's and containerd's exported archives, the OCI runtime and image specifications.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/source.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

constexpr std::size_t max_container_file_bytes = 4 << 20;  // larger ones are refused
constexpr std::size_t max_log_head_bytes = 16 << 10;       // of dump.log, which says at its begin what CRIU it is

// A network interface of a container.
struct ContainerNetwork {
  std::string network, interface;
  std::vector<std::string> addresses;  // "10.88.0.5/16"
  std::vector<std::string> gateways;
  std::string mac;
};

// A mount that the configuration asks for.
struct ContainerMount {
  std::string destination, type, source;
};

// What is known of a container. Text is as the engine wrote it, names and hostile bytes included; empty: not known.
struct Container {
  std::string engine, engine_version;     // "podman", "docker", "cri-o", "containerd"
  std::string name, id, image, image_id;  // image: its name as the user knows it
  std::string runtime, runtime_version;   // "crun"
  std::string criu_version;               // "4.2.1"
  std::string created, started, dumped;   // RFC 3339
  std::string pod, pod_id, pod_uid, pod_namespace;
  std::string hostname;                    // the container's
  std::string host, kernel, architecture;  // of the machine that it was dumped on
  std::string distribution, cgroup_version;
  std::string cgroup_path;              // where the runtime has put it
  std::string user, working_directory;  // "uid:gid"
  std::vector<std::string> arguments, environment;
  std::vector<ContainerNetwork> networks;
  std::vector<ContainerMount> mounts;
  std::map<std::string, std::string> annotations, labels;

  bool is_known() const { return !engine.empty() || !name.empty() || !id.empty(); }  // does any file name one?
  // Takes what *this lacks from what another file says.
  void complete(Container&& other);
};

// Does a file with this name, in the directory of a set or of its container, say anything?
bool is_container_file(std::string_view name);
// May it be a blob of a container image that says something? Their names are digests.
bool is_container_blob(std::string_view name);

// Gathers the files of containers.
class ContainerFiles {
 public:
  ContainerFiles();
  ~ContainerFiles();
  // Adds the file of that name. A blob that says nothing is passed over. Reasons: bad_json.
  [[nodiscard]] Error add(const SetId& id, std::string_view name, std::string_view text);
  // The container whose images are in that set.
  Container of(const SetId& id) const;

 private:
  struct CRITPIPE_INNER Work;
  std::unique_ptr<Work> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
