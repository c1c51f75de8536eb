// Pieces of directories, read and decoded on several threads and handed on in their order. Internal.
#pragma once

#include "memory/checkpoint_memory.hpp"

namespace critpipe {

// Not done: a piece cannot be read by position. Memory: two chunks for each thread, of 256 KiB or of one block; one
// thread has one.
Error read_ahead(const std::vector<MemoryWork::Piece>& pieces, unsigned nr_threads, const MemoryWork::TakePiece& take,
                 bool& is_done);

}  // namespace critpipe
