// model: What a Checkpoint consists of: tasks, mappings, runs of pages, descriptors, files. These are structs without
// behaviour, which the Checkpoint fills; views in them live as long as it does. Any number of threads may read them
// once it is finished.
//
//     std::uint64_t heap_bytes = 0;
//     for (const Mapping& mapping : task.memory.mappings)
//       if (mapping.kind() == Mapping::Kind::heap) heap_bytes += mapping.end - mapping.start;
//
// Sources of the facts: images/pstree.proto, core.proto, mm.proto, vma.proto, fdinfo.proto,
// criu/include/image.h (VMA_AREA_*).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/pages.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// By CRIU's numbers. CRIU writes `dead` for a zombie, too; a dead task without registers in its core image is a zombie
// here.
enum class TaskState : std::uint32_t { unknown = 0, alive = 1, dead = 2, stopped = 3, zombie = 6 };
std::string_view name_of(TaskState state);  // "alive"

// The kernel objects of a task: tasks with the same number share the object. 0: not known.
struct Ids {
  std::uint32_t vm = 0, files = 0, fs = 0, sighand = 0;
  std::uint32_t pid_ns = 0, net_ns = 0, ipc_ns = 0, uts_ns = 0, mnt_ns = 0, user_ns = 0, cgroup_ns = 0, time_ns = 0;
};

// A mapping of a task's address space.
struct Mapping {
  enum class Kind : std::uint8_t {
    anon,
    heap,
    stack,
    file,
    memfd,
    shmem,
    sysv,
    socket,
    aio,
    vdso,
    vvar,
    vsyscall,
    shadow_stack,
    uprobes,
    guard
  };

  std::uint64_t start = 0, end = 0;   // addresses; end is exclusive
  std::uint64_t pgoff = 0;            // bytes into the file
  std::uint64_t shmid = 0;            // id of the shared object, or if has_file() of the file
  std::uint32_t prot = 0, flags = 0;  // PROT_*, MAP_*
  // VMA_AREA_*, as in the image, except that shared anonymous memory always has VMA_ANON_SHARED and its shmid: newer
  // releases of CRIU dump it as a memfd.
  std::uint32_t status = 0;

  Kind kind() const;       // what is mapped, from status and flags
  bool has_file() const;   // is it a regular file or a memfd?
  bool is_shared() const;  // is it MAP_SHARED?
  // Is what no page stores of it zeros, as it is in no file?
  bool is_anonymous() const;
};
std::string_view name_of(Mapping::Kind kind);       // "heap"
std::string protection_of(const Mapping& mapping);  // "r-x"

// The address space of a task. Ends are exclusive; what is not known is 0.
struct AddressSpace {
  std::uint64_t start_code = 0, end_code = 0, start_data = 0, end_data = 0, start_stack = 0, start_brk = 0, brk = 0;
  std::uint64_t arg_start = 0, arg_end = 0, env_start = 0, env_end = 0;  // command line and environment
  // The end of a title that the program may have written over its command line. It can extend into the environment,
  // within a page.
  std::uint64_t title_end() const;
  std::uint32_t exe_id = 0;         // id of the program's file
  std::uint64_t page_size = 0;      // in bytes, from the auxiliary vector; 0: not known
  std::vector<std::uint64_t> auxv;  // key, value, key, value, ...
  std::vector<Mapping> mappings;    // in the order of the image: ascending, guards last
};

// An open descriptor. Its type and file_id name the File.
struct Descriptor {
  std::uint32_t fd = 0, file_id = 0, type = 0, flags = 0;
};
std::string_view type_name(std::uint32_t type);  // "REG", "INETSK"; empty for a type that the schema lacks

// A file that a descriptor, a mapping or a directory refers to. The payload can be read with Fields.
struct File {
  std::uint32_t id = 0, type = 0;
  const Message* message = nullptr;
  Bytes payload = {};
};

// A socket. What its family does not have is 0 or empty.
struct Socket {
  std::uint32_t family = 0, type = 0, protocol = 0, state = 0;  // AF_*, SOCK_*, IPPROTO_*, TCP_*; 0: not known
  std::uint32_t inode = 0;
  std::string source = {}, destination = {};  // addresses; a unix socket's name, abstract ones begin with a zero byte
  std::uint32_t source_port = 0, destination_port = 0;  // netlink: port ids
  std::uint32_t peer = 0;                               // unix: its inode
  std::uint32_t interface = 0;                          // packet
  std::uint32_t send_buffer = 0, receive_buffer = 0;    // bytes that fit
  bool has_queues = false;                              // received and sent are known: see Needs::queues
  std::uint64_t received = 0, sent = 0;                 // bytes that wait to be read, or to be acknowledged
};
// Is it a TCP socket that a restore connects again? CRIU takes those of no other protocol for it.
bool is_connected_tcp(std::uint32_t protocol, std::uint32_t state, std::uint32_t destination_port);
// "IPV4", "STREAM", "TCP", "LISTEN"; a number without a name as decimal text.
std::string family_name(std::uint32_t family);
std::string socket_type_name(std::uint32_t type);
std::string protocol_name(std::uint32_t family, std::uint32_t protocol);  // netlink: "ROUTE"; packet: "0x0800"
std::string socket_state_name(std::uint32_t state);

// What a task may do. Capabilities are sets of bits, CAP_CHOWN the lowest.
struct Credentials {
  bool is_known = false;
  std::uint32_t uid = 0, gid = 0, euid = 0, egid = 0, suid = 0, sgid = 0;
  std::vector<std::uint32_t> groups = {};
  std::uint64_t inheritable = 0, permitted = 0, effective = 0, bounding = 0, ambient = 0;
  bool no_new_privileges = false;
  std::string lsm_profile = {};    // of AppArmor or SELinux; empty: there is none
  std::uint32_t seccomp_mode = 0;  // 0: none, 1: strict, 2: a filter
};
// The names of capabilities by their numbers: "chown" is the first (linux/capability.h). A kernel may have more.
std::span<const std::string_view> named_capabilities();

// A thread of a task.
struct Thread {
  std::uint32_t tid = 0;
  std::string comm = {};  // its name; empty: not known (before CRIU 3.14)
};

// A process.
struct Task {
  std::uint32_t pid = 0, ppid = 0, pgid = 0, sid = 0;
  bool in_tree = false;  // false: it is not in pstree.img but in other images, and ppid, pgid and sid are not known
  TaskState state = TaskState::unknown;  // unknown also if its core image is missing
  std::uint32_t exit_code = 0;           // a wait status, as wait(2) has it
  std::uint32_t stop_signal = 0;         // 0: not stopped, or not known
  std::string comm = {};
  std::string_view machine = {};     // "X86_64"; empty: not known
  std::vector<Thread> threads = {};  // the main thread first; names as Needs::threads says
  Ids ids = {};
  bool has_memory = false, has_pagemap = false, has_directories = false;  // were these images read?
  AddressSpace memory = {};
  Credentials credentials = {};
  std::uint64_t pages_id = 0;         // which pages image its pages are in
  std::vector<PageRun> pagemap = {};  // in the order of the image; behind a fault, PageRun::page is max_pages
  std::shared_ptr<const PageLayout> page_layout = {};  // how its pages are stored; null: plain
  std::uint32_t cwd_id = 0, root_id = 0, umask = 0;

  // False: it is dead or a zombie, and has neither memory nor files.
  bool is_running() const { return state != TaskState::dead && state != TaskState::zombie; }
};
// The strings in the bytes of a command line or an environment, each without its NUL. If the last one has no NUL, it
// continues to the first NUL in `behind`, the bytes from arg_end to title_end().
std::vector<std::string> strings_in(std::string_view bytes, std::string_view behind = {});
// How the task ended: "exited 3", "killed by SIGKILL", "killed by SIGSEGV, core dumped".
std::string exit_text(const Task& task);
// "SIGKILL"; "signal 34": it has no name, or the machine is MIPS, whose numbers differ.
std::string signal_name(const Task& task, std::uint32_t signal);

}  // namespace critpipe
#pragma GCC visibility pop
