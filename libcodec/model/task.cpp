// Names of states, mappings and protections.
#include "critpipe/task.hpp"

#include <algorithm>

namespace critpipe {

namespace {

// Bits of vma_entry.status.
constexpr std::uint32_t bit(int number) { return std::uint32_t{1} << number; }

struct StatusRow {
  std::uint32_t bits;
  Mapping::Kind kind;
};

// The first that fits. A mapping of SysV or socket memory is also a shared one, a memfd's also one of a file.
constexpr StatusRow status_rows[] = {
    {bit(16), Mapping::Kind::guard},   {bit(10), Mapping::Kind::sysv},    {bit(11), Mapping::Kind::socket},
    {bit(13), Mapping::Kind::aio},     {bit(14), Mapping::Kind::memfd},   {bit(6) | bit(7), Mapping::Kind::file},
    {bit(1), Mapping::Kind::stack},    {bit(2), Mapping::Kind::vsyscall}, {bit(3), Mapping::Kind::vdso},
    {bit(12), Mapping::Kind::vvar},    {bit(5), Mapping::Kind::heap},     {bit(15), Mapping::Kind::shadow_stack},
    {bit(17), Mapping::Kind::uprobes}, {bit(8), Mapping::Kind::shmem},
};

constexpr std::string_view capabilities[] = {"chown",
                                             "dac_override",
                                             "dac_read_search",
                                             "fowner",
                                             "fsetid",
                                             "kill",
                                             "setgid",
                                             "setuid",
                                             "setpcap",
                                             "linux_immutable",
                                             "net_bind_service",
                                             "net_broadcast",
                                             "net_admin",
                                             "net_raw",
                                             "ipc_lock",
                                             "ipc_owner",
                                             "sys_module",
                                             "sys_rawio",
                                             "sys_chroot",
                                             "sys_ptrace",
                                             "sys_pacct",
                                             "sys_admin",
                                             "sys_boot",
                                             "sys_nice",
                                             "sys_resource",
                                             "sys_time",
                                             "sys_tty_config",
                                             "mknod",
                                             "lease",
                                             "audit_write",
                                             "audit_control",
                                             "setfcap",
                                             "mac_override",
                                             "mac_admin",
                                             "syslog",
                                             "wake_alarm",
                                             "block_suspend",
                                             "audit_read",
                                             "perfmon",
                                             "bpf",
                                             "checkpoint_restore"};

constexpr std::uint32_t grows_down = 0x100;
constexpr std::uint32_t map_shared = 0x1;

}  // namespace

std::span<const std::string_view> named_capabilities() { return capabilities; }

std::string_view name_of(TaskState state) {
  switch (state) {
    case TaskState::alive: return "alive";
    case TaskState::dead: return "dead";
    case TaskState::stopped: return "stopped";
    case TaskState::zombie: return "zombie";
    case TaskState::unknown: break;
  }
  return "unknown";
}

std::string signal_name(const Task& task, std::uint32_t signal) {
  static constexpr const char* names[] = {"HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",  "FPE",
                                          "KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM", "STKFLT",
                                          "CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",  "XCPU",
                                          "XFSZ", "VTALRM", "PROF", "WINCH", "IO",   "PWR",  "SYS"};
  const bool named = signal >= 1 && signal <= std::size(names) && task.machine != "MIPS";
  return named ? std::string{"SIG"} + names[signal - 1] : "signal " + std::to_string(signal);
}

std::string exit_text(const Task& task) {
  const std::uint32_t signal = task.exit_code & 0x7f;
  if (signal == 0) return "exited " + std::to_string(task.exit_code >> 8 & 0xff);
  return "killed by " + signal_name(task, signal) + (task.exit_code & 0x80 ? ", core dumped" : "");
}

Mapping::Kind Mapping::kind() const {
  if (status & bit(8) && status & bit(14)) return Kind::shmem;
  for (const StatusRow& row : status_rows)
    if (status & row.bits) return row.kind;
  return flags & grows_down ? Kind::stack : Kind::anon;
}

std::uint64_t AddressSpace::title_end() const {
  constexpr std::uint64_t page = 4096;
  return env_start == arg_end ? std::max(arg_end, std::min(env_end, arg_start + page)) : arg_end;
}

std::vector<std::string> strings_in(std::string_view bytes, std::string_view behind) {
  std::vector<std::string> all;
  all.reserve(static_cast<std::size_t>(std::ranges::count(bytes, '\0')) + 1);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t nul = std::min(bytes.find('\0', at), bytes.size());
    all.emplace_back(bytes.substr(at, nul - at));
    at = nul + 1;
  }
  if (!bytes.empty() && bytes.back() != '\0') all.back() += behind.substr(0, behind.find('\0'));
  return all;
}

bool Mapping::has_file() const { return status & (bit(6) | bit(7) | bit(14)) && !(status & bit(8)); }

bool Mapping::is_shared() const { return flags & map_shared; }

bool Mapping::is_anonymous() const {
  switch (kind()) {
    case Kind::anon:
    case Kind::heap:
    case Kind::stack:
    case Kind::shmem:
    case Kind::sysv:
    case Kind::memfd: return true;
    default: return false;
  }
}

std::string_view name_of(Mapping::Kind kind) {
  constexpr std::string_view names[] = {"anon",  "heap",     "stack",        "file",    "memfd",
                                        "shmem", "sysv",     "socket",       "aio",     "vdso",
                                        "vvar",  "vsyscall", "shadow_stack", "uprobes", "guard"};
  return names[static_cast<std::size_t>(kind)];
}

std::string protection_of(const Mapping& mapping) {
  std::string text = "---";
  if (mapping.prot & 1) text[0] = 'r';
  if (mapping.prot & 2) text[1] = 'w';
  if (mapping.prot & 4) text[2] = 'x';
  return text;
}

}  // namespace critpipe
