#include "checks/tree_facts.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

namespace critpipe {

namespace {

constexpr const char* spaces[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
constexpr std::size_t most_tasks = 1 << 16;

std::map<std::string, std::string> namespaces_of(const ProcDirectory& task) {
  std::map<std::string, std::string> found;
  const ProcDirectory links{task, "ns"};
  for (const char* space : spaces)
    if (links)
      if (const auto link = links.link(space)) found[space] = *link;
  return found;
}

// The kernel tells of a socket itself what /proc does not: its protocol.
void ask_socket(int pidfd, FdFacts& fd) {
  const OwnedDescriptor copy{static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, fd.number, 0))};
  socklen_t size = sizeof(int);
  if (!copy) return;
  getsockopt(copy.fd(), SOL_SOCKET, SO_DOMAIN, &fd.domain, &size);
  getsockopt(copy.fd(), SOL_SOCKET, SO_TYPE, &fd.type, &size);
  getsockopt(copy.fd(), SOL_SOCKET, SO_PROTOCOL, &fd.protocol, &size);
  pollfd readable = {copy.fd(), POLLIN, 0};
  fd.has_unread = poll(&readable, 1, 0) > 0 && (readable.revents & POLLIN);
}

void read_fds(const ProcDirectory& directory, TaskFacts& task) {
  const ProcDirectory links{directory, "fd"}, infos{directory, "fdinfo"};
  if (!links) return;
  OwnedDescriptor pidfd;
  for (const std::uint64_t number : links.numbers()) {
    const std::string name = std::to_string(number);
    FdFacts fd;
    fd.number = static_cast<int>(number);
    const auto link = links.link(name.c_str());
    if (!link) continue;
    fd.link = *link;
    if (fstatat(links.fd(), name.c_str(), &fd.file, 0) != 0) fd.file = {};
    if (infos) fd.info = infos.read(name.c_str(), 64 << 10).value_or("");
    if (S_ISSOCK(fd.file.st_mode)) {
      if (!pidfd) pidfd = OwnedDescriptor{static_cast<int>(syscall(SYS_pidfd_open, task.pid, 0))};
      ask_socket(pidfd.fd(), fd);
    }
    task.fds.push_back(std::move(fd));
  }
}

// Their children are added to `children`.
void read_threads(const ProcDirectory& directory, TaskFacts& task, std::vector<pid_t>& children) {
  const ProcDirectory list{directory, "task"};
  if (!list) return;
  for (const std::uint64_t tid : list.numbers()) {
    const ProcDirectory one{list, std::to_string(tid).c_str()};
    const bool is_leader = static_cast<pid_t>(tid) == task.pid;
    const std::string status = is_leader ? task.status : one ? one.read("status").value_or("") : "";
    const auto state = line_value(status, "State:");
    const auto tracer = line_value(status, "TracerPid:");
    ThreadFacts thread{.tid = static_cast<pid_t>(tid)};
    if (state && !state->empty()) thread.state = state->front();
    if (tracer) thread.tracer = static_cast<pid_t>(leading_number(*tracer).value_or(0));
    task.threads.push_back(thread);
    const std::string its_children = one ? one.read("children").value_or("") : "";
    for (const std::string_view word : words_of(its_children))
      if (const auto pid = leading_number(word)) children.push_back(static_cast<pid_t>(*pid));
  }
}

// Of all mappings, those that a check asks about.
void read_mappings(const ProcDirectory& directory, TaskFacts& task) {
  const std::string maps = directory.read("maps").value_or("");
  for (const std::string_view line : lines_of(maps)) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.size() < 6) continue;
    const std::string_view name = line.substr(static_cast<std::size_t>(words[5].data() - line.data()));
    if (name.ends_with(" (deleted)") || name == "[uprobes]" || name.starts_with("anon_inode:"))
      task.mappings.push_back({std::string{name}, leading_number(words[4]).value_or(0)});
  }
}

// "/a\\040b" -> "/a b"
std::string without_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    constexpr std::size_t digits = 3;
    const auto value =
        text[at] == '\\' && at + digits < text.size() ? leading_number(text.substr(at + 1, digits), 8) : std::nullopt;
    plain += value ? static_cast<char>(*value) : text[at];
    if (value) at += digits;
  }
  return plain;
}

}  // namespace

bool FdFacts::is_terminal() const {
  constexpr unsigned console = 4, others = 5, first_pty = 128, last_pty = 143, usb = 188, low_density = 204;
  const unsigned kind = major(file.st_rdev);
  return S_ISCHR(file.st_mode) && (kind == console || (kind == others && minor(file.st_rdev) <= 2) || kind == usb ||
                                   kind == low_density || (kind >= first_pty && kind <= last_pty));
}

std::string TaskFacts::text() const { return "process " + std::to_string(pid) + " (" + visible(stat.name) + ")"; }

bool TreeFacts::shares(const std::string& space) const {
  const auto here = ours.find(space), there = root().namespaces.find(space);
  return here == ours.end() || there == root().namespaces.end() || here->second == there->second;
}

std::vector<MountFacts> parse_mounts(std::string_view mountinfo) {
  std::vector<MountFacts> mounts;
  constexpr std::size_t longest = 4096;
  for (const std::string_view line : lines_of(mountinfo)) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.size() < 7) continue;
    MountFacts mount;
    mount.id = leading_number(words[0]).value_or(0);
    mount.parent = leading_number(words[1]).value_or(0);
    mount.device = words[2];
    mount.root = without_escapes(words[3]);
    mount.point = without_escapes(words[4]);
    std::size_t at = 6;
    for (; at < words.size() && words[at] != "-"; ++at) mount.optional.append(words[at]).append(" ");
    if (at + 3 < words.size()) {
      mount.type = words[at + 1];
      mount.options = without_escapes(words[at + 3]);
    }
    mount.is_long = line.size() > longest;
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

namespace {

// CRIU reads the mounts of a namespace of the tree from its first task there, and those of its own, which it leaves out
// where the root task has another, from itself: that task may see less of them.
void read_mounts(TreeFacts& tree) {
  for (std::size_t at = 0; at < tree.tasks.size(); ++at) {
    const auto& links = tree.tasks[at].namespaces;
    const auto link = links.find("mnt");
    const auto here = tree.ours.find("mnt");
    const std::string name = link == links.end() ? "" : link->second;
    const bool is_ours = here != tree.ours.end() && here->second == name;
    if (at > 0 && (name.empty() || (is_ours && !tree.mount_spaces[0].is_ours))) continue;
    if (std::any_of(tree.mount_spaces.begin(), tree.mount_spaces.end(),
                    [&](const MountSpace& space) { return space.name == name; }))
      continue;
    const ProcDirectory directory{is_ours ? getpid() : tree.tasks[at].pid};
    const std::string mounts = directory ? directory.read("mountinfo").value_or("") : "";
    tree.mount_spaces.push_back({at, name, is_ours, parse_mounts(mounts)});
  }
}

}  // namespace

TreeFacts read_tree(const HeldProcess& root) {
  TreeFacts tree;
  tree.ours = namespaces_of(ProcDirectory{getpid()});
  std::vector<pid_t> waiting{root.pid()};
  for (std::size_t at = 0; at < waiting.size() && at < most_tasks; ++at) {
    const pid_t pid = waiting[at];
    const ProcDirectory directory{pid};
    const auto stat = directory.stat();
    if (!stat || !tree.pids.insert(pid).second) continue;
    TaskFacts task;
    task.pid = pid;
    task.stat = *stat;
    task.status = directory.read("status").value_or("");
    task.cgroups = directory.read("cgroup").value_or("");
    task.label = directory.read("attr/current", 4096);
    task.namespaces = namespaces_of(directory);
    read_threads(directory, task, waiting);
    read_fds(directory, task);
    read_mappings(directory, task);
    for (const FdFacts& fd : task.fds)
      if (S_ISSOCK(fd.file.st_mode)) tree.sockets.insert(fd.inode());
    tree.tasks.push_back(std::move(task));
  }
  read_mounts(tree);
  return tree;
}

}  // namespace critpipe
