// As clone(2) numbers them.
#include "model/namespace_kinds.hpp"

namespace critpipe {

std::span<const NamespaceKind> namespace_kinds() {
  static constexpr NamespaceKind kinds[] = {
      {"mnt", "mount", 0x00020000, &Ids::mnt_ns},        {"pid", "pid", 0x20000000, &Ids::pid_ns},
      {"net", "network", 0x40000000, &Ids::net_ns},      {"ipc", "ipc", 0x08000000, &Ids::ipc_ns},
      {"uts", "uts", 0x04000000, &Ids::uts_ns},          {"user", "user", 0x10000000, &Ids::user_ns},
      {"cgroup", "cgroup", 0x02000000, &Ids::cgroup_ns}, {"time", "time", 0x00000080, &Ids::time_ns}};
  return kinds;
}

}  // namespace critpipe
