// Reads zstd whose frames are known: passes over frames that nobody asks for, and unpacks those of a long run on
// several threads.
#pragma once

#include "source/byte_reader.hpp"

namespace critpipe {

// What a file holds from `begin` on. Null: its frames are not known; else the reader has taken over `below`, which owns
// the file. `place` is for messages.
Reader read_by_frames(const InputFile& file, std::uint64_t begin, Reader& below, const std::string& place,
                      std::size_t nr_threads);

}  // namespace critpipe
