// Open files, mappings and locks.
#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "checks/check_row.hpp"

namespace critpipe {

namespace {

std::string gone(const std::string& link) {
  constexpr std::string_view mark = " (deleted)";
  return visible(link.ends_with(mark) ? link.substr(0, link.size() - mark.size()) : link);
}

// A file of memfd_secret().
constexpr std::string_view secret = "/secretmem (deleted)";

void check_locks(DumpLook& look) {
  for (const TaskFacts& task : look.tree.tasks)
    for (const FdFacts& fd : task.fds)
      for (const std::string_view line : lines_of(fd.info)) {
        if (!line.starts_with("lock:")) continue;
        if (line.find("LEASE") != std::string_view::npos)
          look.find_fd(Severity::error, task, fd, "a lease on " + visible(fd.link), "the program must give it up");
        else if (!look.options.is_on("file_locks"))
          look.find_fd(Severity::error, task, fd, "a file lock on " + visible(fd.link),
                       "--file-locks, here and for the restore");
        break;
      }
}

void check_unlinked(DumpLook& look) {
  const std::uint64_t limit = look.options.number("ghost_limit", 1 << 20);
  for (const TaskFacts& task : look.tree.tasks)
    for (const FdFacts& fd : task.fds) {
      if (!fd.is_deleted() || !S_ISREG(fd.file.st_mode) || fd.link.starts_with("/memfd:") || fd.link == secret)
        continue;
      const auto size = static_cast<std::uint64_t>(fd.file.st_blocks) * 512;
      if (fd.file.st_nlink == 0 && size > limit) {
        std::uint64_t enough = limit;
        while (enough < size) enough = enough < 4096 ? 4096 : enough * 2;
        look.find_fd(Severity::error, task, fd, "the unlinked file " + gone(fd.link) + " has " + size_text(size),
                     "--ghost-limit=" + std::to_string(enough));
      } else if (fd.file.st_nlink > 0 && !look.options.is_on("link_remap")) {
        look.find_fd(Severity::error, task, fd, gone(fd.link) + " was unlinked, and the file has other names",
                     "--link-remap, here and for the restore");
      }
    }
}

constexpr unsigned memory_devices = 1, others = 10, tun = 200, autofs = 235;

void check_devices(DumpLook& look) {
  for (const TaskFacts& task : look.tree.tasks)
    for (const FdFacts& fd : task.fds) {
      if (!S_ISCHR(fd.file.st_mode) && !S_ISBLK(fd.file.st_mode)) continue;
      const unsigned major = ::major(fd.file.st_rdev), minor = ::minor(fd.file.st_rdev);
      const bool is_tun = S_ISCHR(fd.file.st_mode) && major == others && minor == tun;
      if (is_tun && look.tree.shares("net"))
        look.find_fd(Severity::error, task, fd, visible(fd.link) + " makes network devices, and the network is ours",
                     "start the program in a network namespace of its own (unshare -n)");
      const bool known = S_ISCHR(fd.file.st_mode) && (major == memory_devices || is_tun ||
                                                      (major == others && minor == autofs) || fd.is_terminal());
      if (known || look.is_external("dev[") || look.is_external("file[")) continue;
      look.find_fd(Severity::error, task, fd,
                   "the device " + visible(fd.link) + " (" + std::to_string(major) + ":" + std::to_string(minor) + ")",
                   "CRIU needs a plugin for it, or the program must close it");
    }
}

constexpr std::string_view known_anonymous[] = {"[eventfd]",  "[eventpoll]", "inotify", "[inotify]", "[fanotify]",
                                                "[signalfd]", "[timerfd]",   "[pidfd]", "bpf-map"};

void check_anonymous(DumpLook& look) {
  constexpr std::string_view begin = "anon_inode:";
  for (const TaskFacts& task : look.tree.tasks) {
    for (const FdFacts& fd : task.fds) {
      if (!fd.link.starts_with(begin)) continue;
      const std::string_view kind = std::string_view{fd.link}.substr(begin.size());
      if (std::find(std::begin(known_anonymous), std::end(known_anonymous), kind) != std::end(known_anonymous))
        continue;
      const bool is_ring = kind == "[io_uring]";
      look.find_fd(Severity::error, task, fd, is_ring ? "an io_uring" : "a descriptor of the kind " + visible(kind),
                   is_ring ? "have the program use none (node: UV_USE_IO_URING=0), or set kernel.io_uring_disabled=2"
                           : "CRIU cannot dump it: the program must close it");
    }
    for (const MappingFacts& mapping : task.mappings)
      if (mapping.name == "anon_inode:[io_uring]") {
        look.find(Severity::error, &task, task.text() + " has mapped an io_uring",
                  "have the program use none (node: UV_USE_IO_URING=0), or set kernel.io_uring_disabled=2");
        break;
      }
  }
}

// What neither the kernel nor others read, CRIU does not either.
void check_secrets(DumpLook& look) {
  for (const TaskFacts& task : look.tree.tasks) {
    const auto fd =
        std::find_if(task.fds.begin(), task.fds.end(), [](const FdFacts& one) { return one.link == secret; });
    const bool has_mapped = std::any_of(task.mappings.begin(), task.mappings.end(),
                                        [](const MappingFacts& one) { return one.name == secret; });
    constexpr const char* advice = "CRIU cannot dump it: the program must use none";
    if (fd != task.fds.end()) look.find_fd(Severity::error, task, *fd, "secret memory (memfd_secret)", advice);
    else if (has_mapped)
      look.find(Severity::error, &task, task.text() + " has mapped secret memory (memfd_secret)", advice);
  }
}

// A process that a pidfd is of must be there at the restore, too.
void check_pidfds(DumpLook& look) {
  for (const TaskFacts& task : look.tree.tasks)
    for (const FdFacts& fd : task.fds) {
      const auto line = line_value(fd.info, "Pid:");
      const auto pid = line ? leading_number(*line) : std::nullopt;
      if (!pid) continue;  // it is none, or of one that has ended
      constexpr std::uint64_t of_thread = O_EXCL;
      if (leading_number(line_value(fd.info, "flags:").value_or(""), 8).value_or(0) & of_thread)
        look.find_fd(Severity::error, task, fd, "a pidfd of the thread " + std::to_string(*pid),
                     "CRIU dumps those of processes: the program must close it");
      else if (!look.tree.pids.contains(static_cast<pid_t>(*pid)))
        look.find_fd(Severity::error, task, fd,
                     "a pidfd of " + (*pid ? "process " + std::to_string(*pid) : std::string{"a process"}) +
                         ", which is outside of the tree",
                     "dump both in one tree, or the program must close it");
    }
}

void check_probes(DumpLook& look) {
  if (look.options.is_on("allow_uprobes")) return;
  for (const TaskFacts& task : look.tree.tasks)
    for (const MappingFacts& mapping : task.mappings)
      if (mapping.name == "[uprobes]") {
        look.find(Severity::error, &task, task.text() + " was probed by a tracer (uprobes), and keeps a mapping of it",
                  "CRIU's --allow-uprobes, here and for the restore, with the same probes");
        break;
      }
}

void check_sysv(DumpLook& look) {
  if (!look.tree.shares("ipc")) return;
  for (const TaskFacts& task : look.tree.tasks)
    for (const MappingFacts& mapping : task.mappings)
      if (mapping.name.starts_with("/SYSV")) {
        look.find(Severity::error, &task, task.text() + " has attached SysV shared memory of our own ipc namespace",
                  "start the program in an ipc namespace of its own (unshare -i)");
        break;
      }
}

constexpr DumpCheckRow rows[] = {
    {{"file-locks", "file locks have --file-locks, and there is no lease",
      "Some file locks are hold by dumping tasks; Unknown file lock"},
     check_locks},
    {{"unlinked-files", "unlinked files fit into the images, or have --link-remap",
      "Can't dump ghost file; Can't create link remap"},
     check_unlinked},
    {{"devices", "CRIU knows the devices",
      "Can't dump file N of that type; Net namespace is required to dump tun link"},
     check_devices},
    {{"anonymous-files", "CRIU knows the anonymous descriptors; there is no io_uring",
      "Unknown shit 600 (anon_inode:[io_uring])"},
     check_anonymous},
    {{"secret-memory", "there is no memory of memfd_secret()", "Can't lookup mount=N for fd=F path=/secretmem"},
     check_secrets},
    {{"pidfds", "pidfds are of processes of the tree", "pidfd pid N is not a part of process tree"}, check_pidfds},
    {{"uprobes", "nothing was probed", "has uprobes vma. Consider using --allow-uprobes"}, check_probes},
    {{"sysv-memory", "SysV shared memory is of the tree's own ipc namespace",
      "Task N with SysVIPC shmem map doesn't live in IPC ns"},
     check_sysv},
};

}  // namespace

std::span<const DumpCheckRow> file_checks() { return rows; }

}  // namespace critpipe
