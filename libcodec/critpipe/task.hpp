// model: What a checkpoint consists of: tasks, mappings, runs of pages, descriptors, files. Plain data that a
// Checkpoint fills; views in it live as long as the Checkpoint.
//
//     std::uint64_t heap_bytes = 0;
//     for (const Mapping& mapping : task.memory.mappings)
//       if (mapping.kind() == Mapping::Kind::heap) heap_bytes += mapping.end - mapping.start;
//
// Sources of the facts: images/pstree.proto, core.proto, mm.proto, vma.proto, pagemap.proto, fdinfo.proto,
// criu/include/image.h (VMA_AREA_*), criu/include/pagemap.h (PE_*).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/image.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// The numbers are CRIU's. It writes `dead` for a zombie: where the core image holds no registers, that is named zombie
// here, too.
enum class TaskState : std::uint32_t { unknown = 0, alive = 1, dead = 2, stopped = 3, zombie = 6 };
std::string_view name_of(TaskState state);  // "alive"

// Kernel objects of a task, as numbers: tasks with the same number share the object; 0: the image does not say.
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
  std::uint64_t shmid = 0;            // of the shared object; has_file(): the id of the file
  std::uint32_t prot = 0, flags = 0;  // PROT_*, MAP_*
  // VMA_AREA_*, as the image has them. Shared anonymous memory, which newer releases of CRIU dump as a memfd, has
  // VMA_ANON_SHARED here, and its shmid, as that of old ones.
  std::uint32_t status = 0;

  Kind kind() const;
  bool has_file() const;  // a regular file or a memfd is mapped
  bool is_shared() const;
};
std::string_view name_of(Mapping::Kind kind);       // "heap"
std::string protection_of(const Mapping& mapping);  // "r-x"

constexpr std::uint32_t page_parent = 1, page_lazy = 2, page_present = 4;

// A row of a pagemap. The flags of old releases are turned into those of new ones.
struct Run {
  std::uint64_t vaddr = 0, nr_pages = 0;
  std::uint32_t flags = 0;  // page_parent | page_lazy | page_present
};

// Addresses; ends are exclusive. What the image does not say is 0.
struct AddressSpace {
  std::uint64_t start_code = 0, end_code = 0, start_data = 0, end_data = 0, start_stack = 0, start_brk = 0, brk = 0;
  std::uint64_t arg_start = 0, arg_end = 0, env_start = 0, env_end = 0;  // command line and environment
  // A title that a program writes over its command line may run on into the environment, within a page: to here.
  std::uint64_t title_end() const;
  std::uint32_t exe_id = 0;         // of the file
  std::uint64_t page_size = 0;      // from the auxiliary vector; 0: it does not say
  std::vector<std::uint64_t> auxv;  // key, value, key, value, ...
  std::vector<Mapping> mappings;    // as they stand in the image: ascending, guards last
};

// A row of a descriptor table. The type and the id name the File.
struct Descriptor {
  std::uint32_t fd = 0, file_id = 0, type = 0, flags = 0;
};
std::string_view type_name(std::uint32_t type);  // "REG", "INETSK"; empty for a type that the schema lacks

// What a descriptor, a mapping or a directory refers to. Fields walks the payload.
struct File {
  std::uint32_t id = 0, type = 0;
  const Message* message = nullptr;
  Bytes payload = {};
};

// A socket of any family, as far as its family goes.
struct Socket {
  std::uint32_t family = 0, type = 0, protocol = 0, state = 0;  // AF_*, SOCK_*, IPPROTO_*, TCP_*; 0: not saved
  std::uint32_t inode = 0;
  std::string source = {}, destination = {};  // addresses; a unix socket's name, abstract ones begin with a zero byte
  std::uint32_t source_port = 0, destination_port = 0;  // netlink: port ids
  std::uint32_t peer = 0;                               // unix: its inode
  std::uint32_t interface = 0;                          // packet
  std::uint32_t send_buffer = 0, receive_buffer = 0;    // bytes that fit
  bool has_queues = false;                              // waiting bytes are saved, and were asked for
  std::uint64_t received = 0, sent = 0;                 // bytes that wait to be read, to be acknowledged
};
// "IPV4", "STREAM", "TCP", "LISTEN"; numbers without a name as decimal text.
std::string family_name(std::uint32_t family);
std::string socket_type_name(std::uint32_t type);
std::string protocol_name(std::uint32_t family, std::uint32_t protocol);  // netlink: "ROUTE"; packet: "0x0800"
std::string socket_state_name(std::uint32_t state);

struct Thread {
  std::uint32_t tid = 0;
  std::string comm = {};  // empty where the image does not say (before CRIU 3.14)
};

// A process.
struct Task {
  std::uint32_t pid = 0, ppid = 0, pgid = 0, sid = 0;
  bool in_tree = false;  // pstree.img has it; otherwise only other images do, and ppid, pgid and sid are not known
  TaskState state = TaskState::unknown;  // unknown also where its core image is missing
  std::uint32_t exit_code = 0;           // a wait status, as wait(2) has it
  std::uint32_t stop_signal = 0;         // 0: not stopped, or an old CRIU did not say
  std::string comm = {};
  std::string_view machine = {};     // "X86_64"; empty: not said
  std::vector<Thread> threads = {};  // its own first; with names if these were asked for
  Ids ids = {};
  bool has_memory = false, has_pagemap = false, has_directories = false;  // were these images there?
  AddressSpace memory = {};
  std::vector<Run> pagemap = {};
  std::uint32_t cwd_id = 0, root_id = 0, umask = 0;

  // Zombies have no memory and no files, and no threads but their own.
  bool is_running() const { return state != TaskState::dead && state != TaskState::zombie; }
};
// The strings of a command line or an environment, each without the NUL that ends it. Where the last has none, it goes
// on to the first NUL in `behind`: what stands between arg_end and title_end().
std::vector<std::string> strings_in(std::string_view bytes, std::string_view behind = {});
// How it ended: "exited 3", "killed by SIGKILL", "killed by SIGSEGV, core dumped".
std::string exit_text(const Task& task);
// "SIGKILL"; "signal 34" for one without a name, and on MIPS, which numbers them otherwise.
std::string signal_name(const Task& task, std::uint32_t signal);

}  // namespace critpipe
#pragma GCC visibility pop
