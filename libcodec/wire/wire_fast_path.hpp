// Values in the form that CRIU writes, from bytes that nobody has checked. Internal.
//
// "Canonical" is right, too: the shortest form, in the range of its type, known fields in ascending order. Where one of
// these says no, the long way has to find out what it is. All move `at` past what they read.
#pragma once

#include "critpipe/fields.hpp"

namespace critpipe {

// True: nothing is missing, and all of it is canonical; false: nothing yet.
bool is_canonical(const Message& message, Bytes payload);

// A varint of two bytes or more in its shortest form.
inline bool canonical_varint(const std::byte*& at, const std::byte* end, std::uint64_t& value) {
  if (end - at >= 8) [[likely]] {
    const std::uint64_t word = load_u64(at);
    const std::uint64_t ends = ~word & 0x8080808080808080;
    if (ends != 0) [[likely]] {
      value = join_sevens(word & (ends ^ (ends - 1)));
      at += (std::countr_zero(ends) >> 3) + 1;
      return at[-1] != std::byte{0};
    }
  }
  value = 0;
  for (unsigned shift = 0; shift < 64 && at != end; shift += 7) {
    const auto byte = std::to_integer<std::uint64_t>(*at++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return byte != 0 && (shift < 63 || byte == 1);
  }
  return false;
}

// A tag of one or two bytes; 0, which is none, where it is longer or no tag. Requires: at != end.
inline std::uint32_t canonical_tag(const std::byte*& at, const std::byte* end) {
  const auto low = std::to_integer<std::uint32_t>(*at++);
  if (low < 0x80) [[likely]]
    return low;
  if (at == end) return 0;
  const auto high = std::to_integer<std::uint32_t>(*at++);
  return high == 0 || high >= 0x80 ? 0 : (low & 0x7f) | high << 7;
}

// A length of what follows it, which is all there.
inline bool canonical_length(const std::byte*& at, const std::byte* end, std::size_t& size) {
  if (at == end) return false;
  std::uint64_t value = std::to_integer<std::uint64_t>(*at);
  if (value < 0x80) [[likely]]
    ++at;
  else if (!canonical_varint(at, end, value)) return false;
  size = static_cast<std::size_t>(value);
  return value <= static_cast<std::uint64_t>(end - at);
}

// Is the value in the form that an encoder would write for its type?
inline bool canonical_integer(Type type, std::uint64_t value) {
  switch (type) {
    case Type::uint32:
    case Type::sint32: return value >> 32 == 0;
    case Type::int32:
    case Type::enumeration:
      return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(value))) == value;
    case Type::boolean: return value <= 1;
    default: return true;
  }
}

}  // namespace critpipe
