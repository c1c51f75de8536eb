// Namespaces but for mounts.
#include <algorithm>

#include "check/checked_images.hpp"
#include "model/namespace_kinds.hpp"
#include "model/file_types.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t new_mounts = 0x00020000, new_uts = 0x04000000, new_ipc = 0x08000000, new_user = 0x10000000;
constexpr std::uint32_t new_net = 0x40000000, new_time = 0x80;

// CRIU makes further mount and network namespaces where the root task has its own.
void find_nested(const CheckedImages& set, const Reporter& report) {
  if (!set.first("INVENTORY").inner("root_ids")) return;
  const std::uint32_t allowed = set.own_namespaces() & (new_mounts | new_net);
  for (const Task* const task : set.running()) {
    const Task* const parent = set.checkpoint.find_task(task->ppid);
    if (task == set.root_task() || !parent || !parent->is_running()) continue;
    const std::uint32_t differing = differing_namespaces(task->ids, parent->ids) & ~allowed;
    for (const NamespaceKind& kind : namespace_kinds())
      if (differing & kind.bit)
        report({image_name("IDS", task->pid), 0},
               format("task %u is in %s namespace %u, its parent in %u: CRIU can't make that one within the tree",
                      task->pid, kind.name, task->ids.*kind.id, parent->ids.*kind.id));
  }
}

// CRIU takes the first task of a new pid namespace for its init, unless the namespace comes from outside.
void find_init(const CheckedImages& set, const Reporter& report) {
  const Task* const root = set.root_task();
  if (!root || root->pid == 1 || !(set.own_namespaces() & new_pids)) return;
  if (!set.first("PIDNS", root->ids.pid_ns).has("ext_key") && !set.is_damaged("inventory.img"))
    report({"pstree.img", 0, "pid"}, format("the root task is %u, and first in pid namespace %u, where CRIU wants 1",
                                            root->pid, root->ids.pid_ns));
}

void find_missing_settings(const CheckedImages& set, const Reporter& report) {
  const Task* const root = set.root_task();
  if (!root || set.is_cut) return;
  const auto want = [&](std::uint32_t bit, const char* kind, std::uint32_t id, const char* what) {
    const std::string name = image_name(kind, id);
    if (set.own_namespaces() & bit && !set.has(name))
      report({name}, format("this image is missing: the tree has its own %s namespace", what));
  };
  want(new_uts, "UTSNS", root->ids.uts_ns, "uts");
  want(new_ipc, "IPC_VAR", root->ids.ipc_ns, "ipc");
  want(new_user, "USERNS", root->ids.user_ns, "user");
  want(new_time, "TIMENS", root->ids.time_ns, "time");
}

// The network namespaces of the tree's own; none where they are not known.
std::set<std::uint32_t> own_networks(const CheckedImages& set) {
  std::set<std::uint32_t> ids;
  if (!(set.own_namespaces() & new_net) || set.is_cut) return ids;
  for (const Task* const task : set.running())
    if (task->ids.net_ns != 0) ids.insert(task->ids.net_ns);
  return ids;
}

// CRIU takes a missing image for one of an older release and leaves the network as it is made.
void find_missing_network(const CheckedImages& set, const Reporter& report) {
  for (const std::uint32_t id : own_networks(set)) {
    const std::string devices = image_name("NETDEV", id);
    const std::string settings = image_name("NETNS", id);
    const bool has_devices = set.has(devices), has_settings = set.has(settings);
    const std::string addresses = image_name("IFADDR", id);
    if (set.first("NETNS", id).has("ext_key")) continue;
    if (has_settings && !has_devices && set.has(addresses))
      report({devices}, "this image is missing: the devices will not be there");
    if (has_devices && !has_settings && set.has_time_namespaces())
      report({settings}, "this image is missing: the settings will not be there");
    for (const char* const kind : {"IFADDR", "ROUTE", "ROUTE6", "RULE"}) {
      const std::string name = image_name(kind, id);
      const bool is_new = std::string_view{kind} == "ROUTE6" || std::string_view{kind} == "RULE";
      if (has_devices && !set.has(name) && (!is_new || set.has_time_namespaces()))
        report({name}, format("this image is missing: what network namespace %u has of it will not be there", id));
    }
  }
}

// An engine lets CRIU leave out the network, and sets it up itself; then there is no image of any.
void find_empty_networks(const CheckedImages& set, const Reporter& report) {
  const bool has_any = std::ranges::any_of(
      set.images, [](const auto& one) { return one.first.starts_with("netns-") || one.first.starts_with("netdev-"); });
  for (const std::uint32_t id : own_networks(set)) {
    const auto has = [&](const char* kind) { return set.has(image_name(kind, id)); };
    if (has("NETNS") || has("NETDEV") || has("IFADDR")) continue;
    if (has_any) report({}, format("network namespace %u has no image, and another has", id), Severity::loss);
    else report({}, format("network namespace %u has no image: an engine sets it up, or its images are lost", id));
  }
}

// CRIU passes over missing clocks where the tree has no time namespace of its own.
void find_missing_clocks(const CheckedImages& set, const Reporter& report) {
  const Task* const root = set.root_task();
  if (!root || set.running().empty() || root->ids.time_ns == 0 || set.is_cut) return;
  if (set.own_namespaces() & new_time) return;  // another rule
  if (!set.has("timens-0.img") && !set.has(image_name("TIMENS", root->ids.time_ns)))
    report({"timens-0.img"}, "this image is missing: monotonic clocks will jump to those of the machine");
}

// Those of which a task is, or of which there are images.
std::set<std::uint32_t> known_networks(const CheckedImages& set) {
  std::set<std::uint32_t> known;
  for (const Task* const task : set.running()) known.insert(task->ids.net_ns);
  for (const auto& [name, image] : set.images)
    if (name.starts_with("netns-") || name.starts_with("netdev-")) known.insert(number_of(name));
  return known;
}

void find_sockets(const CheckedImages& set, const Reporter& report) {
  if (!(set.own_namespaces() & new_net)) return;
  const std::set<std::uint32_t> known = known_networks(set);
  for (const SeenFile& file : set.files()) {
    const bool has_namespace =
        file.type == type_inet || file.type == type_packet || file.type == type_netlink || file.type == type_unix;
    const std::uint32_t id = has_namespace ? file.record.id("ns_id") : 0;
    if (id != 0 && !known.contains(id))
      report({std::string{file.image}, file.entry, "ns_id"},
             format("network namespace %u, where the socket is, is not in the images", id));
  }
}

// CRIU opens a namespace in the task that has it. Network namespaces may have no task.
void find_files(const CheckedImages& set, const Reporter& report) {
  if (!set.has_whole_tree() || set.is_cut) return;
  const std::set<std::uint32_t> networks = known_networks(set);
  std::set<std::pair<std::uint32_t, std::uint32_t>> known;  // kinds, as bits, and numbers; 0: a task has an unknown one
  for (const Task* const task : set.running())
    for (const NamespaceKind& kind : namespace_kinds()) known.emplace(kind.bit, task->ids.*kind.id);
  for (const SeenFile& file : set.files()) {
    if (type_name(file.type) != "NS") continue;
    const std::uint32_t id = file.record.id("ns_id"), bit = file.record.id("ns_cflag");
    const auto kind = std::ranges::find(namespace_kinds(), bit, &NamespaceKind::bit);
    if (kind == namespace_kinds().end() || kind->id == &Ids::cgroup_ns || known.contains({bit, 0})) continue;
    if (!known.contains({bit, id}) && !(bit == new_net && networks.contains(id)))
      report({std::string{file.image}, file.entry, "nsf.ns_id"},
             format("%s namespace %u, which is open, is of no task", kind->name, id));
  }
}

// CRIU gives namespaces the numbers by which they know each other.
void find_neighbours(const CheckedImages& set, const Reporter& report) {
  const std::set<std::uint32_t> known = known_networks(set);
  set.each("NETNS", [&](const std::string& image, std::uint64_t entry, const Record& netns) {
    netns.each("nsids", [&](const Record& other) {
      if (!known.contains(other.id("target_ns_id")) && !set.is_cut)
        report(
            {image, entry, "nsids.target_ns_id"},
            format("network namespace %u, which it knows by a number, is not in the images", other.id("target_ns_id")));
    });
  });
}

void find_external(const CheckedImages& set, const Reporter& report) {
  const auto look = [&](ListedKind kind, const char* what) {
    set.each(kind, [&](const std::string& image, std::uint64_t entry, const Record& record) {
      const std::string_view key = record.text("ext_key");
      if (record.has("ext_key") && !set.is_inherited(key))
        report.need({image, entry, "ext_key"}, format("the %s namespace comes from outside: the restore needs "
                                                      "--inherit-fd fd[N]:%s",
                                                      what, visible(key).c_str()));
    });
  };
  look("NETNS", "network");
  look("PIDNS", "pid");
}

constexpr RuleRow rows[] = {
    {{"namespace-nested", Severity::error, "A task is in a namespace that CRIU can't make.",
      "Take the ids images and the inventory from the same dump."},
     find_nested},
    {{"namespace-init", Severity::error, "The tree has its own pid namespace, and its root is not task 1.",
      "Take pstree, ids and inventory from the same dump."},
     find_init},
    {{"namespace-missing", Severity::error, "A namespace of the tree has no image.",
      "Copy the image again, or dump again."},
     find_missing_settings},
    {{"network-missing", Severity::loss, "A part of a network namespace is not there.",
      "Copy the image again, or set up the network after the restore."},
     find_missing_network},
    {{"network-empty", Severity::note, "A network namespace has no image.",
      "Nothing, where an engine sets up the network; else copy its images again."},
     find_empty_networks},
    {{"clocks-missing", Severity::loss, "The values of clocks are not there.",
      "Copy the timens image again: programs will see their clocks jump."},
     find_missing_clocks},
    {{"socket-namespace", Severity::error, "A socket is in a network namespace that is not in the images.",
      "Take files.img and the network images from the same dump."},
     find_sockets},
    {{"namespace-open", Severity::error, "A namespace that is open is of no task.",
      "Take files.img and the ids images from the same dump."},
     find_files},
    {{"network-neighbour", Severity::error, "A network namespace knows one that is not in the images.",
      "Take the netns and ids images from the same dump."},
     find_neighbours},
    {{"needs-namespace", Severity::error, "A namespace comes from outside.",
      "Give it with --inherit-fd fd[N]:KEY to the restore; engines do so for their own containers."},
     find_external},
};

}  // namespace

std::span<const RuleRow> namespaces_rules() { return rows; }

}  // namespace critpipe
