#include "critpipe/control/direct_restore.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "critpipe/json.hpp"
#include "engines/docker_api.hpp"
#include "engines/root_files.hpp"

namespace critpipe {

namespace {

using docker::who;

// docker's own layer between those of the image and the container has only what is mounted over, and goes with the
// container.
std::vector<std::string> image_layers(const JsonAnswer& inspection) {
  std::vector<std::string> layers = docker::layers_of(inspection);
  std::erase_if(layers, [](const std::string& layer) { return layer.ends_with("-init/diff"); });
  return layers;
}

bool is_there(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// "/etc/hosts" of docker: a file that goes with the container.
bool is_made_by_docker(const RunningMount& mount) {
  return mount.point == "/etc/hosts" || mount.point == "/etc/hostname" || mount.point == "/etc/resolv.conf";
}

bool is_cgroup(const RunningMount& mount) { return mount.type == "cgroup"; }

// One level, whose cpuset CRIU fills in: that of one above which it makes stays empty, and nothing can be in there.
std::string cgroup_of(const std::string& name) { return "/critpipe-" + name; }

bool is_own(const RunningCgroup& one) { return one.path.size() > 1; }

// Where the hierarchy of a container's cgroup is usually mounted.
std::string hierarchy_of(const RunningCgroup& one) {
  return one.controllers.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + one.controllers;
}

// Those that it had of its own become others; in a hierarchy that it had none in, it stays where it was.
Error set_cgroups(const RunningContainer& dumped, const std::string& name, CriuOptions& options) {
  Error error = options.set("manage_cgroups", true);
  if (!error) error = options.assign("manage_cgroups_mode=soft");
  const std::string path = "\"path\": " + json_string(cgroup_of(name)) + "}";
  if (!error && std::ranges::all_of(dumped.cgroups, is_own)) return options.assign("cg_root={" + path);
  for (const RunningCgroup& one : dumped.cgroups) {
    std::string_view rest = one.controllers;
    while (!error && is_own(one) && !rest.empty()) {
      const std::string controller{rest.substr(0, rest.find(','))};
      rest.remove_prefix(std::min(controller.size() + 1, rest.size()));
      error = options.assign("cg_root={\"ctrl\": " + json_string(controller) + ", " + path);
    }
  }
  return error;
}

// A mount of a cgroup shows the new one.
std::string cgroup_source(const RunningContainer& dumped, const std::string& source, const std::string& name) {
  for (const RunningCgroup& one : dumped.cgroups)
    if (is_own(one) && source.ends_with(one.path))
      return source.substr(0, source.size() - one.path.size()) + cgroup_of(name);
  return source;
}

// The file that is mounted there: docker's, or one like ours if that is gone.
Error own_file(const RunningMount& mount, const std::string& directory, std::string& source) {
  if (is_there(mount.source)) return {};
  source = directory + mount.point.substr(mount.point.rfind('/'));
  const OwnedDescriptor file{open(source.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
  if (!file) return system_error(Reason::io_write, source, errno);
  FileOutput output{file.fd(), source};
  output.write(small_file(mount.point));
  (void)output.flush();
  return output.error();
}

// Is it mounted on the root file system itself, not on another mount?
bool is_on_root(const RunningMount& mount, const std::vector<RunningMount>& all) {
  return mount.point != "/" && std::ranges::none_of(all, [&](const RunningMount& other) {
           return other.point != "/" && mount.point.starts_with(other.point + "/");
         });
}

bool is_directory(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode);
}

// What docker and runc have made in the root file system, to mount on.
Error make_places(const RunningContainer& dumped, const RootFiles& root) {
  for (const RunningMount& mount : dumped.mounts) {
    if (!is_on_root(mount, dumped.mounts)) continue;
    const bool is_file =
        !mount.source.empty() && !is_cgroup(mount) && (is_made_by_docker(mount) || !is_directory(mount.source));
    if (Error error = root.make_place(mount.point, is_file)) return error;
  }
  return {};
}

// The pipes that docker read its output from lead into files.
Error inherit_outputs(const DirectPlan& plan, CriuSetup& setup, std::vector<OwnedDescriptor>& outputs) {
  const std::vector<std::string> links = JsonAnswer{small_file(plan.images + "/descriptors.json")}.texts({});
  constexpr const char* names[] = {nullptr, "/output", "/errors"};
  std::set<std::string> seen;
  for (std::size_t nr = 0; nr < std::min(links.size(), std::size(names)); ++nr) {
    if (!links[nr].starts_with("pipe:[") || !seen.insert(links[nr]).second) continue;
    const std::string path = names[nr] ? plan.directory + names[nr] : "/dev/null";
    OwnedDescriptor file{names[nr] ? open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600)
                                   : open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) return system_error(Reason::io_write, path, errno);
    setup.inherited.emplace_back(links[nr], file.fd());
    outputs.push_back(std::move(file));
  }
  return {};
}

Error set_mounts(const RunningContainer& dumped, const DirectPlan& plan, CriuOptions& options) {
  // What runc masks is called so in its images.
  Error error = options.add("external", "mnt[/dev/null]:/dev/null");
  for (const RunningMount& mount : dumped.mounts) {
    if (mount.told.empty() || error) continue;
    std::string source = is_cgroup(mount) ? cgroup_source(dumped, mount.source, plan.name) : mount.source;
    if (is_made_by_docker(mount)) error = own_file(mount, plan.directory, source);
    if (!error) error = options.add("external", "mnt[" + mount.point + "]:" + source);
  }
  return error;
}

}  // namespace

Error against_direct_restore(const RunningContainer& dumped) {
  const JsonAnswer inspection{dumped.inspection};
  if (dumped.engine != who)
    return {.reason = Reason::usage,
            .name = "CRIU alone restores containers of docker, and this is none: leave --via criu out"};
  if (!inspection) return engine_error(who, "container.json does not say how " + visible(dumped.name) + " was made");
  if (const std::string driver = inspection.text({"GraphDriver", "Name"}); driver != "overlay2")
    return engine_error(who, "its storage driver was " + visible(driver.empty() ? "another one" : driver) +
                                 ": without docker, only overlay2 shows where an image is");
  if (dumped.has_terminal || inspection.is_on({"Config", "Tty"}))
    return engine_error(who, "the other end of its terminal was docker's: leave --via criu out");
  for (const RunningNamespace& one : dumped.namespaces)
    if (!one.path.empty() && !one.is_ours)
      return engine_error(who, "its " + visible(one.kind) + " namespace is that of another container");
  const std::vector<std::string> layers = image_layers(inspection);
  if (layers.empty() || !std::ranges::all_of(layers, is_there))
    return engine_error(who, "the image " + visible(inspection.text({"Config", "Image"})) + " is not on this machine");
  for (const RunningMount& mount : dumped.mounts)
    if (!mount.told.empty() && !is_cgroup(mount) && !is_made_by_docker(mount) && !is_there(mount.source))
      return engine_error(who, "what was mounted on " + visible(mount.point) + " is gone: " + visible(mount.source));
  return {};
}

DirectRestore::~DirectRestore() {
  for (const std::string& cgroup : cgroups_) (void)rmdir(cgroup.c_str());  // which fails where it runs
  if (root_.empty()) return;
  (void)umount2(root_.c_str(), MNT_DETACH);
  (void)rmdir(root_.c_str());
}

// One that is left of a container which has ended may be there.
Error DirectRestore::claim(std::string cgroup) {
  if (rmdir(cgroup.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR)
    return {.reason = Reason::usage,
            .image = std::move(cgroup),
            .name = "it is in use: another container was restored under that name"};
  cgroups_.push_back(std::move(cgroup));
  return {};
}

void DirectRestore::thaw() const {
  for (const std::string& cgroup : cgroups_)
    for (const auto& [name, value] : {std::pair{"/freezer.state", "THAWED"}, {"/cgroup.freeze", "0"}}) {
      const OwnedDescriptor file{open((cgroup + name).c_str(), O_WRONLY | O_CLOEXEC)};
      if (file) (void)!write(file.fd(), value, std::strlen(value));
    }
}

Error DirectRestore::make(const RunningContainer& dumped, const DirectPlan& plan, CriuSetup& setup,
                          CriuOptions& options) {
  const std::string root = plan.directory + "/root", upper = plan.directory + "/files", work = plan.directory + "/work";
  for (const std::string& path : {root, upper, work})
    if (mkdir(path.c_str(), 0755) != 0) return system_error(Reason::io_write, path, errno);
  Error error = mount_overlay(root, image_layers(JsonAnswer{dumped.inspection}), upper, work);
  if (error) return error;
  root_ = root;
  RootFiles files;
  error = files.open(root);
  if (!error) error = files.unpack_difference(plan.images, plan.stop_fd);
  if (!error) error = make_places(dumped, files);
  if (!error) error = set_mounts(dumped, plan, options);
  if (!error) error = inherit_outputs(plan, setup, outputs_);
  if (!error) error = options.set("root", root);
  if (!error) error = set_cgroups(dumped, plan.name, options);
  for (const RunningCgroup& one : dumped.cgroups)
    if (is_own(one) && !error) error = claim(hierarchy_of(one) + cgroup_of(plan.name));
  constexpr unsigned new_network = 0x40000000;
  const RunningNamespace* const network = dumped.find_namespace("net");
  if (!error && network && !network->is_ours) error = options.set("empty_ns", new_network);
  return error;
}

}  // namespace critpipe
