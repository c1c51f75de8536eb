// Where the command line and the environment of a process are. Internal.
#pragma once

#include <cstdint>

#include "critpipe/checkpoint.hpp"

namespace critpipe {

// A list of strings takes its bytes and a std::string for each. Linux allows 6 MiB, with a pointer for each string.
constexpr std::uint64_t max_texts_bytes = 32 << 20;

// Addresses.
struct TextPlace {
  std::uint64_t begin = 0, end = 0;
};
// At most so many bytes of it. A command line goes on to the end of its title.
TextPlace arguments_place(const AddressSpace& space, std::uint64_t most_bytes);
TextPlace environment_place(const AddressSpace& space, std::uint64_t most_bytes);

// The address space of a process in a checkpoint that is being filled; null: it has not come.
const AddressSpace* space_of(const Checkpoint& checkpoint, std::uint32_t pid);

}  // namespace critpipe
