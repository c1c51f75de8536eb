// Capabilities of a process, and their names.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace critpipe {

struct Capabilities {
  // Numbers of those that checks ask for.
  static constexpr unsigned net_admin = 12, sys_admin = 21, sys_resource = 24, checkpoint_restore = 40;

  std::uint64_t effective = 0, bounding = ~std::uint64_t{0};  // sets of bits; CAP_CHOWN is the lowest
  bool has(unsigned number) const { return (effective >> number) & 1; }
};
// As /proc says; nothing but a full bounding set: it does not.
Capabilities capabilities_of(pid_t pid);

// "chown, net_admin", "all"; those without a name as numbers.
std::string capability_list(std::uint64_t set);

}  // namespace critpipe
