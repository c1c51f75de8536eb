// Learning the shape of an entry.
#include "wire/entry_layout.hpp"

namespace critpipe {

void EntryLayout::allow(std::size_t at, unsigned least, unsigned most) {
  least_[at / sizeof(Block)][at % sizeof(Block)] = static_cast<std::uint8_t>(least);
  span_[at / sizeof(Block)][at % sizeof(Block)] = static_cast<std::uint8_t>(most - least);
}

// The same number of bytes, and the last one neither zero nor too much for its type.
bool EntryLayout::learn_varint(Type type, std::size_t at, std::size_t end) {
  constexpr std::size_t most_bytes = 10, most_bytes_of_32_bits = 5;
  const std::size_t size = end - at, last = end - 1;
  for (std::size_t i = at; i < last; ++i) allow(i, 0x80, 0xff);
  const unsigned least = size > 1 ? 1 : 0;
  switch (type) {
    case Type::boolean: allow(last, 0, 1); return size == 1;
    case Type::uint32:
    case Type::sint32:
      allow(last, least, size == most_bytes_of_32_bits ? 0x0f : 0x7f);
      return size <= most_bytes_of_32_bits;
    case Type::int32:
    case Type::enumeration:  // below zero there are 10 bytes, of which most are given
      allow(last, least, size == most_bytes_of_32_bits ? 0x07 : 0x7f);
      return size <= most_bytes_of_32_bits;
    default: allow(last, least, size == most_bytes ? 1 : 0x7f); return size <= most_bytes;
  }
}

bool EntryLayout::learn_message(const Message& message, const std::byte* begin, std::size_t at, std::size_t end) {
  const auto varint_end = [begin](std::size_t i) {
    while ((begin[i] & std::byte{0x80}) != std::byte{0}) ++i;
    return i + 1;
  };
  const auto same = [&](std::size_t i) {
    allow(i, std::to_integer<unsigned>(begin[i]), std::to_integer<unsigned>(begin[i]));
  };
  while (at < end) {
    std::uint32_t tag = 0;
    for (std::size_t i = at, after = varint_end(at); i < after; ++i) {
      tag |= std::to_integer<std::uint32_t>(begin[i] & std::byte{0x7f}) << 7 * (i - at);
      same(i);
    }
    at = varint_end(at);
    const Field* field = message.find(tag >> 3);
    if (!field) return false;
    switch (field->wire()) {
      case Wire::varint:
        if (!learn_varint(field->type, at, varint_end(at))) return false;
        at = varint_end(at);
        break;
      case Wire::fixed32: at += 4; break;
      case Wire::fixed64: at += 8; break;
      default: {
        const auto size = std::to_integer<std::size_t>(begin[at]);  // below `room`, so it is one byte
        same(at);
        ++at;
        if (field->type == Type::message && !learn_message(field->message(), begin, at, at + size)) return false;
        at += size;
      }
    }
  }
  return true;
}

bool EntryLayout::learn(const Message& message, Bytes entry) {
  size_ = entry.size();
  if (size_ > room) return false;
  for (std::size_t i = 0; i < room; ++i) allow(i, 0, 0xff);
  for (std::size_t i = 0; i < 4; ++i)
    allow(i, std::to_integer<unsigned>(entry[i]), std::to_integer<unsigned>(entry[i]));
  return learn_message(message, entry.data(), 4, size_);
}

void RecentLayouts::learn(const Message& message, Bytes entry, std::size_t known) {
  constexpr std::int64_t cost = 8;
  credit_ = std::min(credit_ + static_cast<std::int64_t>(known), patience) - cost;
  // Where each has its own, nothing is gained.
  if (credit_ < 0) {
    nr_shapes_ = 0;
    return;
  }
  EntryLayout shape;
  if (!shape.learn(message, entry)) return;
  last_ = nr_shapes_ < shapes_.size() ? nr_shapes_++ : oldest_;
  oldest_ = (last_ + 1) % shapes_.size();
  shapes_[last_] = shape;
}

}  // namespace critpipe
