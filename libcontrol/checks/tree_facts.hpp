// What the checks look at: a process tree as /proc shows it, read once.
#pragma once

#include <sys/stat.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "critpipe/control/process.hpp"
#include "process/proc_text.hpp"

namespace critpipe {

struct FdFacts {
  int number = -1;
  std::string link;       // where /proc/PID/fd/N leads
  std::string info;       // fdinfo
  struct stat file = {};  // st_mode 0: it could not be looked at
  // Of sockets, from the socket itself; -1: not known.
  int domain = -1, type = -1, protocol = -1;
  bool has_unread = false;  // there is something to be read from it

  bool is_deleted() const { return link.ends_with(" (deleted)"); }
  bool is_terminal() const;  // by its numbers
  std::uint64_t inode() const { return file.st_ino; }
};

struct ThreadFacts {
  pid_t tid = 0;
  char state = '?';
  pid_t tracer = 0;
};

// A mapping that has a name.
struct MappingFacts {
  std::string name;
  std::uint64_t inode = 0;
};

struct TaskFacts {
  pid_t pid = 0;
  ProcStat stat;
  std::string status;  // /proc/PID/status
  std::vector<ThreadFacts> threads;
  std::vector<FdFacts> fds;
  std::vector<MappingFacts> mappings;             // those of files that are gone, and special ones
  std::map<std::string, std::string> namespaces;  // "pid" -> "pid:[4026531836]"
  std::string cgroups;
  std::optional<std::string> label;  // of its security module; nothing: it cannot be read, or there is no module

  std::string text() const;  // "process 12 (server)"
};

// A line of mountinfo. Blanks in it, which the kernel escapes, are blanks here.
struct MountFacts {
  std::uint64_t id = 0, parent = 0;
  std::string device, root, point, optional;  // optional: "shared:3 master:1"
  std::string type, options;                  // "overlay", "rw,lowerdir=/a:/b"
  bool is_long = false;
};
std::vector<MountFacts> parse_mounts(std::string_view mountinfo);

// A mount namespace, with the mounts that CRIU sees in it.
struct MountSpace {
  std::size_t task = 0;  // the first one in it, an index
  std::string name;      // "mnt:[4026531841]"
  bool is_ours = false;
  std::vector<MountFacts> mounts;
};

struct TreeFacts {
  std::vector<TaskFacts> tasks;  // the root first
  std::set<pid_t> pids;
  std::set<std::uint64_t> sockets;          // inodes of all sockets in the tree
  std::vector<MountSpace> mount_spaces;     // those that CRIU looks at, the root's first
  std::map<std::string, std::string> ours;  // our own namespaces

  const TaskFacts& root() const { return tasks.front(); }
  bool shares(const std::string& space) const;  // with us
};

TreeFacts read_tree(const HeldProcess& root);

}  // namespace critpipe
