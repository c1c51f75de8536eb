// wire: Fields of one payload, in place.
//
// A payload that a Sink receives has been checked, so the walk needs no bounds: every varint ends and every length
// fits. Values are views into the payload; nothing allocates.
//
//     std::uint64_t vaddr = 0;
//     for (Fields fields{*entry.message, entry.payload}; fields.next();) {
//       const Value& value = fields.value();
//       if (value.field && value.field->name() == "vaddr") vaddr = value.integer;
//     }
//     const Field& count = *entry.message->find("nr_pages");
//     const std::uint64_t nr_pages = integer_or(count, *entry.message, entry.payload, 0);
//
// Source of the facts: protobuf's encoding.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "critpipe/base.hpp"
#include "critpipe/error.hpp"
#include "critpipe/schema.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// The low seven bits of each byte, pushed together.
inline std::uint64_t join_sevens(std::uint64_t word) {
  word &= 0x7f7f7f7f7f7f7f7f;
  word = (word & 0x007f007f007f007f) | (word & 0x7f007f007f007f00) >> 1;
  word = (word & 0x00003fff00003fff) | (word & 0x3fff00003fff0000) >> 2;
  return (word & 0x000000000fffffff) | (word & 0x0fffffff00000000) >> 4;
}

// Reads a varint that is known to end, and moves past it.
inline std::uint64_t trusted_varint(const std::byte*& at) {
  std::uint64_t value = std::to_integer<std::uint64_t>(*at++);
  if (value < 0x80) [[likely]]
    return value;
  value &= 0x7f;
  for (int shift = 7;; shift += 7) {
    const auto byte = std::to_integer<std::uint64_t>(*at++);
    if (shift < 64) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

// The same where 8 bytes may be read: most are then taken at once.
inline std::uint64_t trusted_varint(const std::byte*& at, const std::byte* end) {
  const auto first = std::to_integer<std::uint64_t>(*at);
  if (first < 0x80) {
    ++at;
    return first;
  }
  if (end - at < 8) return trusted_varint(at);
  const std::uint64_t word = load_u64(at);
  const std::uint64_t ends = ~word & 0x8080808080808080;
  if (ends == 0) return trusted_varint(at);
  at += (std::countr_zero(ends) >> 3) + 1;
  return join_sevens(word & (ends ^ (ends - 1)));
}

struct Value {
  const Field* field = nullptr;  // null: not in the schema, or of another wire type than the schema says
  std::uint32_t number = 0;
  Wire wire = Wire::varint;
  std::uint64_t integer = 0;  // varint and fixed values as they are on the wire; see as_integer
  Bytes bytes = {};           // length-delimited values, and the inside of a group
};

// The integer that a wire value of that type means, sign-extended: sint32, int32, bool, ... 32-bit types keep their low
// 32 bits, as protobuf's parsers do.
inline std::int64_t as_integer(Type type, std::uint64_t wire) {
  switch (type) {
    case Type::int32:
    case Type::enumeration:
    case Type::sfixed32: return static_cast<std::int32_t>(static_cast<std::uint32_t>(wire));
    case Type::uint32:
    case Type::fixed32: return static_cast<std::uint32_t>(wire);
    case Type::sint32: {
      const auto low = static_cast<std::uint32_t>(wire);
      return static_cast<std::int32_t>((low >> 1) ^ (~(low & 1) + 1));
    }
    case Type::sint64: return static_cast<std::int64_t>((wire >> 1) ^ (~(wire & 1) + 1));
    case Type::boolean: return wire != 0;
    default: return static_cast<std::int64_t>(wire);
  }
}

class Fields {
 public:
  // Requires: payload was checked against message.
  Fields(const Message& message, Bytes payload)
      : message_{message}, at_{payload.data()}, end_{payload.data() + payload.size()} {}
  bool next() {
    if (at_ == end_) return false;
    const auto tag = std::to_integer<std::uint32_t>(*at_);
    const auto wire = static_cast<Wire>(tag & 7);
    if (tag >= 0x80 || (wire != Wire::varint && wire != Wire::bytes)) [[unlikely]]
      return next_of_any();
    ++at_;
    value_.number = tag >> 3;
    value_.wire = wire;
    const Field* const field = message_.find(value_.number);
    const std::uint64_t number = trusted_varint(at_, end_);
    if (wire == Wire::varint) {
      value_.integer = number;
      value_.bytes = {};
      value_.field = field && field->tag == tag ? field : nullptr;
      return true;
    }
    value_.integer = 0;
    value_.bytes = {at_, static_cast<std::size_t>(number)};
    value_.field = field && (field->tag == tag || field->may_be_packed()) ? field : nullptr;
    at_ += number;
    return true;
  }
  const Value& value() const { return value_; }
  const std::byte* at() const { return at_; }  // behind the value

 private:
  bool next_of_any();  // longer tags, other wire types

  const Message& message_;
  const std::byte* at_;
  const std::byte* end_;
  Value value_;
};

// The last value of a field that is not repeated; nothing where it is absent.
std::optional<Value> find_value(const Field& field, const Message& message, Bytes payload);
inline std::uint64_t integer_or(const Field& field, const Message& message, Bytes payload, std::uint64_t otherwise) {
  const auto value = find_value(field, message, payload);
  return value ? static_cast<std::uint64_t>(as_integer(field.type, value->integer)) : otherwise;
}

// What follows one entry: the plan of its kind with the numbers of its message.
struct ExtraSizes {
  enum class Follows : std::uint8_t { nothing, parts, messages, rest_of_image };
  struct Size {
    std::uint64_t bytes = 0;
    std::uint64_t padding = 0;  // zeros after them
  };
  static constexpr std::uint64_t unknown = ~std::uint64_t{0};

  Follows follows = Follows::nothing;
  std::array<Size, Extra::most_parts> parts = {};  // unknown bytes: the rest of the image
  std::uint64_t nr_messages = 0;
  std::string_view bad_field = {};  // its number overflows, so there are no sizes; empty where all is well
};

// Requires: the payload is checked. Index: of the entry in its image.
ExtraSizes extra_sizes(const Extra& extra, const Message& message, Bytes payload, std::uint64_t index);
// The same for one message of a list: the part after it.
ExtraSizes nested_sizes(const Extra& extra, Bytes payload);

void append_varint(std::string& out, std::uint64_t value);

// The same message as CRIU would write it: ascending field numbers, shortest varints, nothing packed, merged where a
// message stands twice. Unknown fields keep their place by number. Linear time. At any nesting, memory stays below four
// times the larger of payload and result, and some KiB a level.
std::string canonical(const Message& message, Bytes payload);

// Checks one message by itself: wire format, lengths, nesting, required fields. Fills in a fresh verdict; false: its
// reason, the offset in the payload of what is wrong, and the field.
struct Checked {
  Reason reason = Reason::none;
  bool canonical = true;
  std::size_t offset = 0;
  std::uint64_t want = 0;
  std::uint64_t have = 0;
  const Field* field = nullptr;
};
bool check(const Message& message, Bytes payload, Checked& verdict);
inline Checked check(const Message& message, Bytes payload) {
  Checked verdict;
  (void)check(message, payload, verdict);
  return verdict;
}

// What a sink took of entries that nobody has checked yet: so many bytes, so many entries.
struct Taken {
  std::size_t bytes = 0;
  std::uint64_t entries = 0;
  Step step = Step::go;
};

// What many() may take and only counts or passes on: whole entries, as long as each is right and canonical.
Taken take_clean(const Message& message, Bytes unchecked);

// The value at the end of a path, "reg.name", and its field; nothing where the path leads nowhere or through a list.
struct FoundValue {
  std::optional<Value> value;
  const Field* field = nullptr;
};
FoundValue value_at(const Message& message, Bytes payload, std::string_view path);

// An integer, an enum's number, a bool (0, 1), or a view of the bytes of a text.
struct FieldValue {
  bool is_text = false;
  bool is_negative = false;
  std::uint64_t integer = 0;
  std::string_view text = {};

  FieldValue(bool value) : integer{value} {}
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) FieldValue(Integer value)
      : is_negative{std::cmp_less(value, 0)}, integer{static_cast<std::uint64_t>(value)} {}
  FieldValue(std::string_view value) : is_text{true}, text{value} {}
  FieldValue(const std::string& value) : is_text{true}, text{value} {}
  FieldValue(const char* value) : is_text{true}, text{value} {}
};

// Sets a field of a checked payload, once, where CRIU would write it: "cwd_id", or "reg.name" in a message that is made
// if it is not there. Reasons: usage (no such field, a repeated one, a value that it cannot hold).
Error set_field(const Message& message, std::string& payload, std::string_view path, const FieldValue& value);

}  // namespace critpipe
#pragma GCC visibility pop
