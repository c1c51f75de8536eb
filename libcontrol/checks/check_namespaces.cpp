// Namespaces and mounts.
#include <algorithm>
#include <set>
#include <tuple>

#include "checks/check_row.hpp"

namespace critpipe {

namespace {

std::string last_word(std::string_view text) {
  const std::vector<std::string_view> words = words_of(text);
  return words.empty() ? "" : std::string{words.back()};
}

void check_pid_namespace(DumpLook& look) {
  const TaskFacts& root = look.tree.root();
  const std::string inner = last_word(line_value(root.status, "NSpid:").value_or(""));
  if (!look.tree.shares("pid") && inner != "1" && !look.is_external("pid["))
    look.find(Severity::error, &root, root.text() + " is in another pid namespace and not its process 1, but " + inner,
              "dump the process that is process 1 there");
}

void check_nested(DumpLook& look) {
  const TaskFacts& root = look.tree.root();
  // Those that CRIU makes again within others are not here: mnt and net.
  for (const char* space : {"pid", "user", "time", "uts", "ipc", "cgroup"}) {
    const auto whole = root.namespaces.find(space);
    if (whole == root.namespaces.end()) continue;
    for (const TaskFacts& task : look.tree.tasks) {
      const auto own = task.namespaces.find(space);
      if (own == task.namespaces.end() || own->second == whole->second) continue;
      look.find(Severity::error, &task,
                task.text() + " has a " + std::string{space} + " namespace of its own within the tree",
                "CRIU dumps none that is nested: dump that process by itself");
      break;
    }
  }
}

bool is_within(const std::string& path, const std::string& top) {
  return top == "/" || path == top || path.starts_with(top + "/");
}

template <typename Is>
bool has_mount(const TreeFacts& tree, Is is) {
  return std::any_of(tree.mount_spaces.begin(), tree.mount_spaces.end(), [&](const MountSpace& space) {
    return std::any_of(space.mounts.begin(), space.mounts.end(), is);
  });
}

// Calls `use` with each mount that CRIU looks into, and with a task in its namespace: none where CRIU has nothing to
// make again, and otherwise ours, too, if the root task shares them.
template <typename Use>
void each_mount(const DumpLook& look, Use use) {
  const auto& spaces = look.tree.mount_spaces;
  const auto own = std::find_if(spaces.begin(), spaces.end(), [](const MountSpace& one) { return !one.is_ours; });
  if (own == spaces.end()) return;
  std::set<std::tuple<std::string, std::string, std::string>> seen;  // those of a nested namespace are often the same
  for (const MountSpace& space : spaces)
    for (const MountFacts& mount : space.mounts)
      if (seen.emplace(mount.device, mount.root, mount.point).second)
        use(mount, look.tree.tasks[space.is_ours ? own->task : space.task]);
}

// "the mount /srv", and why CRIU looks at it where the namespace is not the root's alone.
std::string mount_text(const DumpLook& look, const MountFacts& mount, const TaskFacts& task) {
  return (task.pid == look.tree.root().pid ? "" : task.text() + " has a mount namespace of its own within the tree; ") +
         "the mount " + visible(mount.point);
}

// What is declared by its name is of the root's namespace.
bool is_declared(const DumpLook& look, const MountFacts& mount, const TaskFacts& task) {
  return look.is_external("mnt[]") ||
         (task.pid == look.tree.root().pid && look.is_external("mnt[" + mount.point + "]"));
}

// A mount whose root is a part of a file system needs one of the same file system that shows more of it; another one
// comes from outside.
void check_mounts(DumpLook& look) {
  each_mount(look, [&](const MountFacts& mount, const TaskFacts& task) {
    if (mount.is_long)
      look.find(Severity::error, &task, mount_text(look, mount, task) + " has a line of over 4096 bytes in mountinfo",
                "use fewer layers, or shorter paths of them");
    const bool is_root = mount.point == "/";
    const bool has_whole = has_mount(look.tree, [&](const MountFacts& other) {
      return other.id != mount.id && other.device == mount.device && is_within(mount.root, other.root) &&
             (other.root != mount.root || other.point == "/");
    });
    if (is_root || mount.root == "/" || has_whole || mount.root.find(':') != std::string::npos) return;
    if (is_declared(look, mount, task) || look.options.is_on("auto_ext_mnt") || look.options.has("ext_mnt")) return;
    look.find(Severity::error, &task,
              mount_text(look, mount, task) + " comes from outside: " + visible(mount.root) + " of the device " +
                  visible(mount.device),
              task.pid == look.tree.root().pid
                  ? "--external 'mnt[" + visible(mount.point) + "]:KEY', and where it comes from for the restore"
                  : "--external 'mnt[]'");
  });
}

void check_masters(DumpLook& look) {
  if (look.options.is_on("ext_masters")) return;
  each_mount(look, [&](const MountFacts& mount, const TaskFacts& task) {
    const std::size_t at = mount.optional.find("master:");
    if (at == std::string::npos || mount.point == "/") return;
    const std::string group =
        std::to_string(leading_number(std::string_view{mount.optional}.substr(at + 7)).value_or(0));
    const bool inside = has_mount(look.tree, [&](const MountFacts& other) {
      return (" " + other.optional).find(" shared:" + group + " ") != std::string::npos;
    });
    if (inside || is_declared(look, mount, task)) return;
    look.find(Severity::warning, &task, mount_text(look, mount, task) + " follows one outside (master " + group + ")",
              "--set ext_masters=true, here and for the restore");
  });
}

// Files of the kernel's own mounts (memfd, SysV memory) look like unlinked ones in a root directory.
bool is_of_kernel(const FdFacts& fd) { return fd.is_deleted() && fd.link.find('/', 1) == std::string::npos; }

void check_file_mounts(DumpLook& look) {
  for (const TaskFacts& task : look.tree.tasks)
    for (const FdFacts& fd : task.fds) {
      if (!fd.link.starts_with('/') || is_of_kernel(fd)) continue;
      if (fd.is_terminal() && look.options.is_on("shell_job")) continue;
      const auto id = leading_number(line_value(fd.info, "mnt_id:").value_or(""));
      if (!id || has_mount(look.tree, [&](const MountFacts& mount) { return mount.id == id; })) continue;
      const std::string key =
          format("file[%llx:%llx]", static_cast<unsigned long long>(*id), static_cast<unsigned long long>(fd.inode()));
      if (look.is_external(key)) continue;
      look.find_fd(Severity::error, task, fd,
                   visible(fd.link) + " was opened in another mount namespace, or its mount is gone",
                   "--external '" + key + "', and for the restore --inherit '" + key + "=FD'");
    }
}

constexpr DumpCheckRow rows[] = {
    {{"pid-namespace", "the root task is process 1 of its pid namespace",
      "Can't dump a pid namespace without the process init"},
     check_pid_namespace},
    {{"nested-namespaces", "there is no namespace in a namespace", "Can't dump nested X namespace for N"},
     check_nested},
    {{"mounts", "mounts from outside are declared", "doesn't have a proper root mount; Bad format in N mountinfo"},
     check_mounts},
    {{"masters", "no mount follows one outside", "has unreachable sharing. Try --enable-external-masters"},
     check_masters},
    {{"file-mounts", "files are on mounts of the tree", "Can't lookup mount=N for fd=F path=P"}, check_file_mounts},
};

}  // namespace

std::span<const DumpCheckRow> namespace_checks() { return rows; }

}  // namespace critpipe
