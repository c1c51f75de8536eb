// The table at the end of seekable zstd: how large its frames are, packed and unpacked.
//
//     seekable := frame* table
//     table    := 0x184D2A5E size entry* footer       a frame that decoders skip; `size` is that of what follows
//     entry    := packed unpacked checksum?           the sizes of a frame; the lower half of XXH64 of what it holds
//     footer   := nr_frames flags 0x8F92EAB1          flags: 0x80, entries have checksums; 0x7c must be 0
//
// Words have 32 bits and are little-endian; the flags are a byte. Each frame can be unpacked by itself.
// Source of the facts: zstd's contrib/seekable_format.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "critpipe/base.hpp"

namespace critpipe {

struct SeekEntry {
  std::uint32_t packed = 0, unpacked = 0;  // bytes
  std::optional<std::uint32_t> checksum = {};
};

constexpr std::size_t seek_head_bytes = 8;
constexpr std::size_t seek_footer_bytes = 9;

// What a footer claims.
struct SeekFooter {
  std::uint32_t nr_frames = 0;
  bool has_checksums = false;

  std::size_t entry_bytes() const { return has_checksums ? 12 : 8; }
  std::uint64_t entries_bytes() const { return std::uint64_t{entry_bytes()} * nr_frames; }
  std::uint64_t table_bytes() const { return seek_head_bytes + entries_bytes() + seek_footer_bytes; }
};

// The table as it lies in a file. All entries have a checksum, or none. Requires: fewer than 2^27 entries.
std::string seek_table(const std::vector<SeekEntry>& entries);

// Nothing: it is no footer. Requires: seek_footer_bytes.
std::optional<SeekFooter> seek_footer(Bytes bytes);
// Does the table of this footer begin so? Requires: seek_head_bytes.
bool is_seek_head(Bytes bytes, const SeekFooter& footer);
// Requires: footer.entry_bytes().
SeekEntry seek_entry(Bytes bytes, const SeekFooter& footer);

}  // namespace critpipe
