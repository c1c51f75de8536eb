// The kinds of namespaces that a task is in. Internal.
#pragma once

#include <span>
#include <string_view>

#include "critpipe/task.hpp"

namespace critpipe {

struct NamespaceKind {
  std::string_view kind;  // as fields and images are named: "mnt" of mnt_ns_id
  const char* name;       // "mount"
  std::uint32_t bit;      // CLONE_NEW*
  std::uint32_t Ids::*id;
};
std::span<const NamespaceKind> namespace_kinds();

}  // namespace critpipe
