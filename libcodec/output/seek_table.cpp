#include "output/seek_table.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t skippable_magic = 0x184d2a5e;
constexpr std::uint32_t footer_magic = 0x8f92eab1;
constexpr std::uint8_t has_checksums_flag = 0x80;
constexpr std::uint8_t reserved_flags = 0x7c;

void put_word(std::string& text, std::uint64_t word) {
  for (unsigned shift = 0; shift < 32; shift += 8) text += static_cast<char>(word >> shift & 0xff);
}

}  // namespace

std::string seek_table(const std::vector<SeekEntry>& entries) {
  const SeekFooter footer{static_cast<std::uint32_t>(entries.size()),
                          !entries.empty() && entries.front().checksum.has_value()};
  std::string text;
  text.reserve(footer.table_bytes());
  put_word(text, skippable_magic);
  put_word(text, footer.table_bytes() - seek_head_bytes);
  for (const SeekEntry& entry : entries) {
    put_word(text, entry.packed);
    put_word(text, entry.unpacked);
    if (footer.has_checksums) put_word(text, entry.checksum.value_or(0));
  }
  put_word(text, footer.nr_frames);
  text += static_cast<char>(footer.has_checksums ? has_checksums_flag : 0);
  put_word(text, footer_magic);
  return text;
}

std::optional<SeekFooter> seek_footer(Bytes bytes) {
  const auto flags = std::to_integer<std::uint8_t>(bytes[4]);
  if (load_u32(bytes.data() + 5) != footer_magic || (flags & reserved_flags) != 0) return std::nullopt;
  return SeekFooter{load_u32(bytes.data()), (flags & has_checksums_flag) != 0};
}

bool is_seek_head(Bytes bytes, const SeekFooter& footer) {
  return load_u32(bytes.data()) == skippable_magic &&
         load_u32(bytes.data() + 4) == footer.table_bytes() - seek_head_bytes;
}

SeekEntry seek_entry(Bytes bytes, const SeekFooter& footer) {
  SeekEntry entry{load_u32(bytes.data()), load_u32(bytes.data() + 4)};
  if (footer.has_checksums) entry.checksum = load_u32(bytes.data() + 8);
  return entry;
}

}  // namespace critpipe
