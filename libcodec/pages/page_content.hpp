// The content of a pages image whose stored bytes are anywhere: a file, a part of an archive, what was kept of a
// stream. Internal.
#pragma once

#include "critpipe/pages.hpp"

namespace critpipe {

// Reads stored bytes from an offset in the pages image on, and returns their number. Fewer than fit: there are no more
// of them, or error is set.
using ReadStored = std::function<std::size_t(std::span<std::byte> into, std::uint64_t offset, Error& error)>;

// Fills `into` from a position in the content on. `done`: how much of it; less than all: the image ends, or there is an
// error. Null `blocks`: all pages are plain. `number`: of an image that is read again and again by this thread, which
// then finds the rest of a block decoded; 0: none. Reasons: bad_block, and those of `read`.
[[nodiscard]] Error read_content(const StoredPages* blocks, std::uint64_t number, std::uint64_t position,
                                 std::span<std::byte> into, const ReadStored& read, std::size_t& done);

// Are these the same blocks? Null: plain pages.
bool same_blocks(const StoredPages* one, const StoredPages* other);

// The error of `size` bytes at a position, where the content ends at `there`, of which `stored_bytes` came.
Error cut_content(const StoredPages* blocks, std::string place, std::uint64_t there, std::uint64_t stored_bytes,
                  std::uint64_t position, std::uint64_t size);

// Calls `want` with each part of the image that read_content() asks for. False: `want` returned it, or the image does
// not have them.
using WantStored = std::function<bool(std::uint64_t offset, std::uint64_t size)>;
bool visit_stored(const StoredPages* blocks, std::uint64_t position, std::uint64_t size, const WantStored& want);

}  // namespace critpipe
