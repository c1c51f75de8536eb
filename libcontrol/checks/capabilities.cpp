#include "checks/capabilities.hpp"

#include <bit>

#include "process/proc_text.hpp"

namespace critpipe {

namespace {

// By their numbers.
constexpr const char* names[] = {"chown",
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
constexpr unsigned nr_names = sizeof names / sizeof names[0];

}  // namespace

Capabilities capabilities_of(pid_t pid) {
  Capabilities found;
  const ProcDirectory directory{pid};
  const std::string status = directory ? directory.read("status").value_or("") : "";
  if (const auto line = line_value(status, "CapEff:")) found.effective = leading_number(*line, 16).value_or(0);
  if (const auto line = line_value(status, "CapBnd:"))
    found.bounding = leading_number(*line, 16).value_or(~std::uint64_t{0});
  return found;
}

std::string capability_names(std::uint64_t set) {
  constexpr std::uint64_t all = (std::uint64_t{1} << nr_names) - 1;
  if (set == all) return "all";
  std::string text;
  // What is missing says more of a nearly full set.
  if (constexpr int few = 8; std::popcount(all & ~set) <= few && (set & ~all) == 0)
    return "all but " + capability_names(all & ~set);
  for (unsigned number = 0; number < 64; ++number) {
    if (!((set >> number) & 1)) continue;
    text += text.empty() ? "" : ", ";
    text += number < nr_names ? names[number] : std::to_string(number);
  }
  return text;
}

}  // namespace critpipe
