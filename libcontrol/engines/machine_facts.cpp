// What the machine says of a container: /proc of its first process, and the spec in its bundle.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "checks/tree_facts.hpp"
#include "engines/engine.hpp"

namespace critpipe {

namespace {

constexpr std::string_view own_types[] = {"proc", "sysfs", "devpts", "tmpfs", "mqueue"};

// Mounts of the spec that come from outside: where, and from what.
std::map<std::string, std::string> binds_of(const JsonAnswer& spec) {
  std::map<std::string, std::string> binds;
  spec.each({"mounts"}, [&](const JsonAnswer& mount) {
    const std::vector<std::string> options = mount.texts({"options"});
    const bool is_bind = mount.text({"type"}) == "bind" || std::ranges::find(options, "bind") != options.end() ||
                         std::ranges::find(options, "rbind") != options.end();
    if (is_bind) binds[mount.text({"destination"})] = mount.text({"source"});
  });
  return binds;
}

// Must CRIU be told that it comes from outside? Not what a process in there can have mounted by itself, nor what shows
// a part of such a mount; and cgroup2 never, for it would not be found at the restore.
bool is_outside(const MountFacts& mount, const std::vector<MountFacts>& all, bool is_bind) {
  if (mount.point == "/" || mount.type == "cgroup2") return false;
  if (is_bind) return true;
  if (mount.root == "/") return std::ranges::find(own_types, mount.type) == std::end(own_types);
  return std::ranges::none_of(all, [&](const MountFacts& other) {
    return &other != &mount && other.device == mount.device && other.root == "/";
  });
}

// Where a part of a file system is on the machine: below one of our own mounts that shows it.
std::string path_here(const MountFacts& mount, const std::vector<MountFacts>& ours) {
  std::string best;
  std::size_t longest = 0;
  for (const MountFacts& one : ours) {
    const bool is_whole = one.root == "/";
    if (one.device != mount.device) continue;
    if (!is_whole && mount.root != one.root && !mount.root.starts_with(one.root + "/")) continue;
    const std::size_t length = is_whole ? 0 : one.root.size();
    if (!best.empty() && length <= longest) continue;
    longest = length;
    best = (one.point == "/" ? "" : one.point) + mount.root.substr(length);
    if (best.empty()) best = "/";
  }
  while (best.size() > 1 && best.back() == '/') best.pop_back();
  return best;
}

std::string option_of(const std::string& options, std::string_view key) {
  for (std::size_t at = 0; at < options.size();) {
    const std::size_t end = std::min(options.find(',', at), options.size());
    if (std::string_view{options}.substr(at, end - at).starts_with(key))
      return options.substr(at + key.size(), end - at - key.size());
    at = end + 1;
  }
  return {};
}

void read_mounts(const ProcDirectory& directory, const JsonAnswer& spec, RunningContainer& container) {
  const std::vector<MountFacts> all = parse_mounts(directory.read("mountinfo").value_or(""));
  const std::vector<MountFacts> ours = parse_mounts(ProcDirectory{getpid()}.read("mountinfo").value_or(""));
  const std::map<std::string, std::string> binds = binds_of(spec);
  for (const MountFacts& mount : all) {
    const auto bind = binds.find(mount.point);
    RunningMount found{mount.point, mount.type, mount.device, mount.root, {}, {}};
    if (is_outside(mount, all, bind != binds.end())) {
      found.source = bind != binds.end() && bind->second.starts_with('/') ? bind->second : path_here(mount, ours);
      found.told = "mnt[" + mount.point + "]:" + mount.point;
    }
    if (mount.point == "/") {
      if (mount.type == "overlay") {
        container.upper = option_of(mount.options, "upperdir=");
        container.lower = option_of(mount.options, "lowerdir=");
        container.work = option_of(mount.options, "workdir=");
      }
      if (container.root.empty()) container.root = path_here(mount, ours);
    }
    container.mounts.push_back(std::move(found));
  }
}

void read_namespaces(const ProcDirectory& directory, const JsonAnswer& spec, RunningContainer& container) {
  const ProcDirectory theirs{directory, "ns"}, self{getpid()}, ours{self, "ns"};
  const std::map<std::string, const char*> words{{"network", "net"}, {"mount", "mnt"}};
  std::map<std::string, std::string> paths;
  spec.each({"linux", "namespaces"}, [&](const JsonAnswer& one) {
    const std::string type = one.text({"type"});
    const auto word = words.find(type);
    paths[word == words.end() ? type : word->second] = one.text({"path"});
  });
  for (const char* kind : {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
    const auto link = theirs ? theirs.link(kind) : std::nullopt;
    if (!link) continue;
    const auto here = ours ? ours.link(kind) : std::nullopt;
    container.namespaces.push_back({kind, *link, paths[kind], here == link});
  }
}

}  // namespace

bool is_process(pid_t pid, std::uint64_t& start_time) {
  if (pid <= 0) return false;
  const auto stat = ProcDirectory{pid}.stat();
  if (!stat || stat->state == 'Z' || (start_time && start_time != stat->start_time)) return false;
  start_time = stat->start_time;
  return true;
}

std::vector<RunningCgroup> cgroups_of(pid_t pid) {
  std::vector<RunningCgroup> all;
  const ProcDirectory directory{pid};
  const std::string text = directory ? directory.read("cgroup").value_or("") : "";
  for (const std::string_view line : lines_of(text)) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    all.push_back({std::string{line.substr(first + 1, second - first - 1)}, std::string{line.substr(second + 1)}});
  }
  return all;
}

bool is_frozen(const RunningContainer& container) {
  for (const RunningCgroup& one : container.cgroups) {
    if (one.path.empty() || one.path == "/") continue;
    if (one.controllers == "freezer" &&
        small_file("/sys/fs/cgroup/freezer" + one.path + "/freezer.state").starts_with("FROZEN"))
      return true;
    if (one.controllers.empty() && small_file("/sys/fs/cgroup" + one.path + "/cgroup.freeze").starts_with("1"))
      return true;
  }
  return false;
}

void read_machine(RunningContainer& container) {
  const JsonAnswer spec{container_spec(container)};
  if (spec.is_on({"process", "terminal"})) container.has_terminal = true;
  if (!container.pid || !is_process(container.pid, container.start_time)) return;
  const ProcDirectory directory{container.pid};
  if (!directory) return;
  container.cgroups = cgroups_of(container.pid);
  read_namespaces(directory, spec, container);
  read_mounts(directory, spec, container);
}

}  // namespace critpipe
