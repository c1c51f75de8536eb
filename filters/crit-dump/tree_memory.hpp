// How much memory a tree has.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace critpipe::filters {

// About the bytes that a dump of the tree will have; never more than half of what the machine has to give. 0: not
// known.
std::uint64_t tree_memory(pid_t root);

}  // namespace critpipe::filters
