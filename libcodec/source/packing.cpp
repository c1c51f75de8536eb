// Which compression, by its magic.
#include <array>
#include <cstring>

#include "source/byte_reader.hpp"

namespace critpipe {

namespace {

struct Row {
  Packing packing;
  std::string_view magic;
  std::string_view suffix;
};

using namespace std::string_view_literals;

constexpr Row rows[] = {
    {Packing::zstd, "\x28\xb5\x2f\xfd"sv, ".zst"},
    {Packing::gzip, "\x1f\x8b\x08"sv, ".gz"},
    {Packing::xz,
     "\xfd"
     "7zXZ\0"sv,
     ".xz"},
    {Packing::lz4, "\x04\x22\x4d\x18"sv, ".lz4"},
    {Packing::bzip2, "BZh"sv, ".bz2"},
};

}  // namespace

Packing packing_of(Bytes begin) {
  const std::string_view text{reinterpret_cast<const char*>(begin.data()), begin.size()};
  for (const Row& row : rows)
    if (text.starts_with(row.magic)) return row.packing;
  // A frame to skip, which parallel compressors write first.
  if (text.size() >= 4 && text.substr(1, 3) == "\x2a\x4d\x18"sv && (text[0] & 0xf0) == 0x50) return Packing::zstd;
  return Packing::none;
}

std::string_view suffix_of(Packing packing) {
  for (const Row& row : rows)
    if (row.packing == packing) return row.suffix;
  return "";
}

}  // namespace critpipe
