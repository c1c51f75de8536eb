// The way that nearly all entries take: written as CRIU writes them, and most as the one before.
#include "wire/wire_fast_path.hpp"

#include <cstring>

#include "wire/entry_layout.hpp"

namespace critpipe {

namespace {

bool canonical_message(const Message& message, const std::byte* at, const std::byte* end, int depth);

// The message before in a list: the next is often the same, as most signals have no handler.
struct Before {
  const Field* field = nullptr;
  Bytes bytes = {};

  bool is_same(const Field& list, Bytes other) const {
    return &list == field && bytes.size() == other.size() && std::memcmp(bytes.data(), other.data(), other.size()) == 0;
  }
};

// Moves past the value of a field. False: it needs the slow path.
inline bool canonical_value(const Field& field, const std::byte*& at, const std::byte* end, int depth, Before& before) {
  switch (field.wire()) {
    case Wire::varint: {
      if (at == end) return false;
      auto value = std::to_integer<std::uint64_t>(*at);
      if (value < 0x80) [[likely]] {
        ++at;
        return field.type != Type::boolean || value <= 1;
      }
      return canonical_varint(at, end, value) && canonical_integer(field.type, value);
    }
    case Wire::fixed32:
    case Wire::fixed64: {
      const std::ptrdiff_t size = field.wire() == Wire::fixed32 ? 4 : 8;
      if (end - at < size) return false;
      at += size;
      return true;
    }
    default: {
      std::size_t size;
      if (!canonical_length(at, end, size)) return false;
      const Bytes inner{at, size};
      at += size;
      if (field.type != Type::message || before.is_same(field, inner)) return true;
      before = {&field, inner};
      return canonical_message(field.message(), inner.data(), at, depth + 1);
    }
  }
}

// Numbers of one byte, each behind the same tag of one byte: so stand the registers of a core image.
inline const std::byte* past_small_numbers(std::uint32_t tag, const std::byte* at, const std::byte* end) {
  const std::uint64_t wanted = 0x0001000100010001 * tag;
  constexpr std::uint64_t tags_and_ends = 0x80ff80ff80ff80ff;
  while (end - at >= 8 && ((load_u64(at) ^ wanted) & tags_and_ends) == 0) at += 8;
  return at;
}

// The way that nearly all messages take: known fields in ascending order, nothing missing, shortest forms. True means
// right and canonical; false means nothing yet.
bool canonical_message(const Message& message, const std::byte* at, const std::byte* end, int depth) {
  const Field* field = message.fields;
  const Field* const fields_end = field + message.nr_fields;
  Before before;
  if (depth > max_nesting) return false;
  while (at != end) {
    const std::uint32_t tag = canonical_tag(at, end);  // 0 is that of no field
    for (;; ++field) {
      if (field == fields_end) return false;
      if (field->tag == tag && !field->packed) break;
      if (field->required) return false;
    }
    if (!canonical_value(*field, at, end, depth, before)) return false;
    if (!field->repeated) ++field;  // a list stays in place until another number comes
    else if (tag < 0x80 && field->wire() == Wire::varint && field->type != Type::boolean)
      at = past_small_numbers(tag, at, end);
  }
  for (; field != fields_end; ++field)
    if (field->required) return false;
  return true;
}

}  // namespace

bool is_canonical(const Message& message, Bytes payload) {
  return canonical_message(message, payload.data(), payload.data() + payload.size(), 0);
}

Taken take_canonical(const Message& message, Bytes unchecked) {
  Taken taken;
  const std::byte* at = unchecked.data();
  const std::byte* const end = at + unchecked.size();
  RecentLayouts shapes;
  for (;;) {
    const std::size_t known = shapes.take(at, end);
    taken.entries += known;
    if (end - at < 4) break;
    const std::size_t size = load_u32(at);
    if (size > static_cast<std::size_t>(end - at) - 4) break;
    if (!canonical_message(message, at + 4, at + 4 + size, 0)) break;
    shapes.learn(message, {at, 4 + size}, known);
    at += 4 + size;
    ++taken.entries;
  }
  taken.bytes = static_cast<std::size_t>(at - unchecked.data());
  return taken;
}

}  // namespace critpipe
