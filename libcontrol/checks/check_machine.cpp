// Kernel, privileges, security modules, control groups and firewalls of a dump.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "checks/capabilities.hpp"
#include "checks/check_row.hpp"
#include "checks/socket_facts.hpp"
#include "process/program_path.hpp"

namespace critpipe {

namespace {

bool is_kernel_before(unsigned major, unsigned minor) {
  utsname name;
  if (uname(&name) != 0) return false;
  const std::string_view release{name.release};
  const auto first = leading_number(release), second = leading_number(release.substr(release.find('.') + 1));
  return first && second && std::pair{*first, *second} < std::pair<std::uint64_t, std::uint64_t>{major, minor};
}

void check_sequences(DumpLook& look) {
  if (is_kernel_before(5, 13))
    look.find(Severity::warning, nullptr,
              "this kernel does not tell of restartable sequences, which programs with glibc 2.35 or later use",
              "start them with GLIBC_TUNABLES=glibc.pthread.rseq=0");
}

// Pages that guard a stack without a mapping of their own; and the question that CRIU asks the kernel of them.
bool has_guard_pages() {
  constexpr int install_guard = 102;
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  const bool is_taken = madvise(page, size, install_guard) == 0;
  munmap(page, size);
  return is_taken;
}

bool tells_of_guard_pages() {
  struct {
    std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    std::uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
  } scan = {};
  struct {
    std::uint64_t start, end, categories;
  } region = {};
  constexpr std::uint64_t is_guard = 1 << 8;
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto here = reinterpret_cast<std::uintptr_t>(&region) & ~(size - 1);
  scan.size = sizeof scan;
  scan.start = here;
  scan.end = here + size;
  scan.vec = reinterpret_cast<std::uintptr_t>(&region);
  scan.vec_len = 1;
  scan.category_mask = scan.return_mask = is_guard;
  const OwnedDescriptor pagemap{open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
  return pagemap && ioctl(pagemap.fd(), _IOWR('f', 16, decltype(scan)), &scan) >= 0;
}

void check_guards(DumpLook& look) {
  if (has_guard_pages() && !tells_of_guard_pages())
    look.find(Severity::warning, nullptr,
              "this kernel has guard pages and does not tell CRIU of them: a dump fails where a program uses them",
              "use a kernel of 6.15 or later, or start the program with GLIBC_TUNABLES=glibc.pthread.stack_guard=0");
}

// CRIU asks for the limits of each process, and pipes that are larger than the limit need the same capability.
void check_users(DumpLook& look) {
  if (capabilities_of(getpid()).has(Capabilities::sys_resource)) return;
  for (const TaskFacts& task : look.tree.tasks) {
    const auto users = words_of(line_value(task.status, "Uid:").value_or(""));
    const bool is_ours = std::all_of(users.begin(), users.end(), [](std::string_view user) {
      return leading_number(user) == std::uint64_t{getuid()};
    });
    if (!is_ours && users.size() >= 3)
      return look.find(Severity::error, &task,
                       task.text() + " runs as user " + std::string{users[0]} +
                           ", and its limits can be read only with CAP_SYS_RESOURCE, which we lack",
                       "dump with that capability");
  }
}

std::string contents_of(const std::string& path) {
  std::string text(4096, '\0');
  const OwnedDescriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  const ssize_t got = file ? read(file.fd(), text.data(), text.size()) : 0;
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

void check_pipes(DumpLook& look) {
  if (!look.options.is_on("lazy_pages") || capabilities_of(getpid()).has(Capabilities::sys_resource)) return;
  constexpr std::uint64_t wanted = 4 << 20;
  const auto most = leading_number(contents_of("/proc/sys/fs/pipe-max-size")).value_or(wanted);
  if (most < wanted)
    look.find(
        Severity::warning, nullptr,
        "pages that are sent later wait in pipes, which hold " + size_text(most) + " at most without CAP_SYS_RESOURCE",
        "sysctl fs.pipe-max-size=4194304 fs.pipe-user-pages-soft=0");
}

void check_labels(DumpLook& look) {
  const bool is_apparmor = contents_of("/sys/module/apparmor/parameters/enabled").starts_with("Y");
  const bool is_selinux = access("/sys/fs/selinux/enforce", F_OK) == 0;
  if (!is_apparmor && !is_selinux) return;
  const std::string ours = contents_of("/proc/self/attr/current");
  for (const TaskFacts& task : look.tree.tasks) {
    if (!task.label || task.label->empty()) {
      if (is_apparmor)
        look.find(Severity::error, &task, task.text() + ": its AppArmor profile cannot be read",
                  "dump from outside of the container, with /proc and /sys/kernel/security mounted");
      continue;
    }
    if (*task.label == ours || task.label->starts_with("unconfined")) continue;
    std::string label = *task.label;
    while (label.ends_with('\n') || label.ends_with('\0')) label.pop_back();
    look.find(Severity::warning, &task,
              task.text() + " is confined by " + visible(label) +
                  ", which may keep CRIU's code in it from its socket and its log",
              "allow it in the profile, or see the log if the dump fails");
  }
}

// Is it of the tree: has the tree, perhaps, started it since it was read?
bool is_of_tree(const TreeFacts& tree, pid_t pid) {
  constexpr int most_parents = 1 << 10;
  for (int nr = 0; nr < most_parents && pid > 0; ++nr) {
    if (tree.pids.contains(pid)) return true;
    const auto stat = ProcDirectory{pid}.stat();
    if (!stat) return false;
    pid = static_cast<pid_t>(stat->parent);
  }
  return false;
}

// Others in a frozen group stop with the tree, and CRIU leaves them out: those that an engine has started in a
// container beside it, for instance.
void check_freezer(DumpLook& look) {
  const std::string group = look.options.text("freeze_cgroup");
  if (group.empty()) return;
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(group, error))
    return look.find(Severity::error, nullptr, "there is no cgroup " + visible(group), "--freeze-cgroup=PATH of one");
  const auto look_at = [&](pid_t pid, const fs::path& directory) {
    // Where a parent ends while it is asked for, the child has another one the next time.
    if (is_of_tree(look.tree, pid) || is_of_tree(look.tree, pid)) return;
    const auto stat = ProcDirectory{pid}.stat();
    if (!stat) return;  // it has ended
    look.find(Severity::loss, nullptr,
              "process " + std::to_string(pid) + " (" + visible(stat->name) + ") is in the cgroup " +
                  visible(directory.string()) + ", but not in the tree: it is frozen, too, and left out",
              "end it before, or start it from the tree");
  };
  const auto look_into = [&](const fs::path& directory) {
    std::ifstream list{directory / "cgroup.procs"};
    constexpr int most = 1 << 16;
    pid_t pid = 0;
    for (int nr = 0; nr < most && list >> pid; ++nr) look_at(pid, directory);
  };
  look_into(group);
  for (fs::recursive_directory_iterator at{group, error}, end; !error && at != end; at.increment(error))
    if (at->is_directory(error)) look_into(at->path());
}

// The network of a tree is locked where it has a namespace of its own or connections.
void check_lock(DumpLook& look) {
  constexpr std::uint64_t by_default = 0, iptables = 1;
  const std::uint64_t method = look.options.number("network_lock", by_default);
  if (method > iptables || has_program("iptables-restore")) return;
  bool locks = !look.tree.shares("net");
  if (!locks && look.options.is_on("tcp_established") && !look.tree.sockets.empty())
    for (const TcpSocket& socket : tcp_sockets_of(look.tree.root().pid))
      locks = locks || (socket.inode != 0 && look.tree.sockets.contains(socket.inode) && socket.state == 1);
  if (locks)
    look.find(method == iptables ? Severity::error : Severity::warning, nullptr,
              "the network is to be locked with iptables, and there is no iptables-restore here",
              "install iptables; --network-lock nftables; or --network-lock skip, where no packet can come meanwhile");
}

constexpr DumpCheckRow rows[] = {
    {{"sequences", "the kernel tells of restartable sequences", "has rseq but kernel lacks get_rseq_conf feature"},
     check_sequences},
    {{"guard-pages", "the kernel tells of guard pages", "ioctl(PAGEMAP_SCAN) doesn't support PAGE_IS_GUARD flag"},
     check_guards},
    {{"users", "we may read the limits of the processes", "Can't get rlimit 0: Operation not permitted"}, check_users},
    {{"pipes", "pipes are large enough for pages that are sent later", "page-pipe: tee: Operation not permitted"},
     check_pipes},
    {{"labels", "security modules let CRIU in",
      "err scanfing: Invalid argument; Unable to connect a transport socket: Permission denied"},
     check_labels},
    {{"freezer", "the cgroup that is to be frozen has the tree alone", "Unexpected process N in the freezer cgroup"},
     check_freezer},
    {{"network-lock", "the network can be locked", "Locking network failed: iptables-restore returned N"}, check_lock},
};

}  // namespace

std::span<const DumpCheckRow> machine_checks() { return rows; }

}  // namespace critpipe
