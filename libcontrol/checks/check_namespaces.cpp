// Namespaces and mounts.
#include <algorithm>

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
  for (const char* space : {"pid", "user", "time"}) {
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

// A mount whose root is a part of a file system needs one of the same file system that shows more of it; another one
// comes from outside.
void check_mounts(DumpLook& look) {
  const auto& mounts = look.tree.mounts;
  if (look.tree.shares("mnt")) return;
  for (const MountFacts& mount : mounts) {
    if (mount.is_long)
      look.find(Severity::error, &look.tree.root(),
                "the mount " + visible(mount.point) + " has a line of over 4096 bytes in mountinfo",
                "use fewer layers, or shorter paths of them");
    const bool is_root = mount.point == "/";
    const bool has_whole = std::any_of(mounts.begin(), mounts.end(), [&](const MountFacts& other) {
      return other.id != mount.id && other.device == mount.device && is_within(mount.root, other.root) &&
             (other.root != mount.root || other.point == "/");
    });
    if (is_root || mount.root == "/" || has_whole || mount.root.find(':') != std::string::npos) continue;
    if (look.is_external("mnt[" + mount.point + "]") || look.is_external("mnt[]") ||
        look.options.is_on("auto_ext_mnt") || look.options.has("ext_mnt"))
      continue;
    look.find(Severity::error, &look.tree.root(),
              "the mount " + visible(mount.point) + " comes from outside: " + visible(mount.root) + " of the device " +
                  visible(mount.device),
              "--external 'mnt[" + visible(mount.point) + "]:KEY', and where it comes from for the restore");
  }
}

void check_masters(DumpLook& look) {
  if (look.tree.shares("mnt") || look.options.is_on("ext_masters") || look.is_external("mnt[]")) return;
  for (const MountFacts& mount : look.tree.mounts) {
    const std::size_t at = mount.optional.find("master:");
    if (at == std::string::npos || mount.point == "/") continue;
    const std::string group =
        std::to_string(leading_number(std::string_view{mount.optional}.substr(at + 7)).value_or(0));
    const bool inside = std::any_of(look.tree.mounts.begin(), look.tree.mounts.end(), [&](const MountFacts& other) {
      return (" " + other.optional).find(" shared:" + group + " ") != std::string::npos;
    });
    if (inside || look.is_external("mnt[" + mount.point + "]")) continue;
    look.find(Severity::warning, &look.tree.root(),
              "the mount " + visible(mount.point) + " follows one outside (master " + group + ")",
              "--set ext_masters=true, here and for the restore");
  }
}

void check_file_mounts(DumpLook& look) {
  if (look.tree.shares("mnt") || look.is_external("file[")) return;
  const TaskFacts& root = look.tree.root();
  for (const TaskFacts& task : look.tree.tasks) {
    const auto own = task.namespaces.find("mnt"), whole = root.namespaces.find("mnt");
    if (own == task.namespaces.end() || whole == root.namespaces.end() || own->second != whole->second) continue;
    for (const FdFacts& fd : task.fds) {
      if (!fd.link.starts_with('/') || fd.link.starts_with("/memfd:") || fd.is_deleted()) continue;
      const auto id = leading_number(line_value(fd.info, "mnt_id:").value_or(""));
      const bool there = std::any_of(look.tree.mounts.begin(), look.tree.mounts.end(),
                                     [&](const MountFacts& mount) { return mount.id == id; });
      if (!id || there) continue;
      look.find_fd(Severity::error, task, fd, visible(fd.link) + " was opened in another mount namespace",
                   "--external 'file[" + std::to_string(*id) + ":" + std::to_string(fd.inode()) + "]:KEY'");
    }
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
