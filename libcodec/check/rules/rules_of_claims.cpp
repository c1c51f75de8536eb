// What belongs to nothing: an image that is there for a task, a namespace or a mount which the other images don't have.
#include <algorithm>
#include <map>
#include <span>

#include "check/checked_images.hpp"

namespace critpipe {

namespace {

using Numbers = std::set<std::uint32_t>;

// Namespaces without tasks are there for sockets, for open files of theirs, and because others know them by a number.
Numbers network_namespaces(const CheckedImages& set) {
  Numbers ids;
  for (const SeenFile& file : set.files())
    for (const char* const field : {"ns_id", "ns_id_link"})
      if (file.record.has(field)) ids.insert(file.record.id(field));
  set.each("NETNS", [&](const std::string& image, std::uint64_t, const Record& netns) {
    if (netns.has("ext_key")) ids.insert(number_of(image));
    netns.each("nsids", [&](const Record& known) { ids.insert(known.id("target_ns_id")); });
  });
  return ids;
}

// Whose number an image has in its name.
struct Owner {
  std::string_view what;  // "task"
  std::span<const std::string_view> kinds;
  std::uint32_t Ids::*id;                   // null: a task's own
  Numbers (*others)(const CheckedImages&);  // who else has such a number; null: nobody
  bool has_zero = false;                    // the number 0 stands for what is not the tree's own
};

constexpr std::string_view of_tasks[] = {"MM",     "FS",   "IDS",    "CREDS",        "SIGACT", "ITIMERS",
                                         "RLIMIT", "VMAS", "SIGNAL", "POSIX_TIMERS", "PSIGNAL"};
constexpr std::string_view of_tables[] = {"FDINFO"};
constexpr std::string_view of_mounts[] = {"MNTS"};
constexpr std::string_view of_hosts[] = {"UTSNS"};
constexpr std::string_view of_ipc[] = {"IPC_VAR", "IPCNS_SHM", "IPCNS_MSG", "IPCNS_SEM"};
constexpr std::string_view of_users[] = {"USERNS"};
constexpr std::string_view of_clocks[] = {"TIMENS"};
constexpr std::string_view of_networks[] = {"NETNS",    "NETDEV",    "IFADDR",   "ROUTE",    "ROUTE6",   "RULE",
                                            "IPTABLES", "IP6TABLES", "NFTABLES", "NETNF_CT", "NETNF_EXP"};

constexpr Owner owners[] = {
    {"task", of_tasks, nullptr, nullptr},
    {"task's table of descriptors", of_tables, &Ids::files, nullptr},
    {"task's mount namespace", of_mounts, &Ids::mnt_ns, nullptr},
    {"task's uts namespace", of_hosts, &Ids::uts_ns, nullptr},
    {"task's ipc namespace", of_ipc, &Ids::ipc_ns, nullptr},
    {"task's user namespace", of_users, &Ids::user_ns, nullptr},
    {"task's time namespace", of_clocks, &Ids::time_ns, nullptr, true},
    {"task's network namespace", of_networks, &Ids::net_ns, network_namespaces},
};

// Of which task, namespace or table is unknown where images are damaged, and where an old release has not said it.
std::optional<Numbers> numbers_of(const CheckedImages& set, const Owner& owner) {
  Numbers numbers;
  if (owner.has_zero) numbers.insert(0);
  if (owner.others) numbers = owner.others(set);
  if (!owner.id) {
    for (const Task& task : set.checkpoint.tasks())
      if (task.in_tree) {
        numbers.insert(task.pid);
        for (const Thread& thread : task.threads) numbers.insert(thread.tid);
      }
    return numbers;
  }
  for (const Task* const task : set.running()) {
    if (task->ids.*owner.id == 0) return std::nullopt;
    numbers.insert(task->ids.*owner.id);
  }
  return numbers;
}

// A table of another dump names other files; one of this dump would have them.
bool is_of_this_dump(const CheckedImages& set, std::uint32_t table) {
  Task task;
  task.ids.files = table;
  const auto descriptors = set.checkpoint.descriptors(task);
  return !descriptors.empty() && std::ranges::all_of(descriptors, [&](const Descriptor& one) {
    return one.type == 0 || set.find_file(one.type, one.file_id);
  });
}

void find_lone_images(const CheckedImages& set, const Reporter& report) {
  if (!set.knows_all()) return;
  std::map<std::string_view, const Owner*> by_kind;
  std::map<const Owner*, std::optional<Numbers>> numbers;
  for (const Owner& owner : owners) {
    for (const std::string_view kind : owner.kinds) by_kind.emplace(kind, &owner);
    numbers.emplace(&owner, numbers_of(set, owner));
  }
  for (const auto& [name, image] : set.images) {
    const Kind* const kind = image.kind ? image.kind : kind_of_name(name);
    const auto owner = kind ? by_kind.find(kind->name) : by_kind.end();
    if (owner == by_kind.end()) continue;
    const auto& known = numbers.at(owner->second);
    const std::uint32_t number = number_of(name);
    if (!known || known->contains(number)) continue;
    const bool may_be_old = owner->second->id == &Ids::files && !is_of_this_dump(set, number);
    report({name},
           format("there is no %.*s %u: what it says is lost", static_cast<int>(owner->second->what.size()),
                  owner->second->what.data(), number),
           may_be_old ? Severity::warning : set.severity_of_strangers());
  }
}

void find_lone_contents(const CheckedImages& set, const Reporter& report) {
  if (!set.knows_all()) return;
  Numbers devices, mounts;
  set.each("MNTS", [&](const std::string&, std::uint64_t, const Record& mount) {
    devices.insert(mount.id("root_dev"));
    mounts.insert(mount.id("mnt_id"));
  });
  if (mounts.empty()) return;  // another rule
  for (const auto& [name, image] : set.images) {
    const Kind* const kind = kind_of_name(name);
    const bool is_of_device = kind && (kind->name == "TMPFS_DEV" || kind->name == "AUTOFS");
    const bool is_of_mount = kind && kind->name == "TMPFS_IMG";
    if ((is_of_device && !devices.contains(number_of(name))) || (is_of_mount && !mounts.contains(number_of(name))))
      report({name},
             format("no mount is of %s %u: one is missing", is_of_device ? "device" : "number", number_of(name)),
             set.severity_of_strangers());
  }
}

constexpr RuleRow rows[] = {
    {{"image-unclaimed", Severity::loss, "An image is of no task, namespace or table of descriptors.",
      "Take pstree, ids and the other images from the same dump; where an earlier dump went to the same directory, "
      "images of it may have been left over."},
     find_lone_images},
    {{"mount-contents", Severity::loss, "What was in a mount is of no mount.",
      "Take the mountpoints image from the dump as it was written."},
     find_lone_contents},
};

}  // namespace

std::span<const RuleRow> claims_rules() { return rows; }

}  // namespace critpipe
