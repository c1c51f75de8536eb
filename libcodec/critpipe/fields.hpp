// wire: Fields of one payload, in place.
//
// Payloads that a Sink receives have been checked: every varint ends and every length fits. Therefore Fields checks
// nothing; a payload from elsewhere must be passed to check() first. Values are views of the payload; reading does not
// allocate. Functions without state; any thread may call them.
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
#include <type_traits>
#include <utility>
#include <vector>

#include "critpipe/base.hpp"
#include "critpipe/error.hpp"
#include "critpipe/schema.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Joins the low seven bits of each byte, the lowest byte first.
inline std::uint64_t join_sevens(std::uint64_t word) {
  word &= 0x7f7f7f7f7f7f7f7f;
  word = (word & 0x007f007f007f007f) | (word & 0x7f007f007f007f00) >> 1;
  word = (word & 0x00003fff00003fff) | (word & 0x3fff00003fff0000) >> 2;
  return (word & 0x000000000fffffff) | (word & 0x0fffffff00000000) >> 4;
}

// Reads a varint and moves past it. Requires: it ends.
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

// The same, reading 8 bytes at once where `end` permits.
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

// One value on the wire. `bytes` is a view of the payload.
struct Value {
  const Field* field = nullptr;  // null: not in the schema, or of another wire type than the schema's
  std::uint32_t number = 0;
  Wire wire = Wire::varint;
  std::uint64_t integer = 0;  // of varint and fixed values, as on the wire; see as_integer
  Bytes bytes = {};           // of length-delimited values; the content of a group
};

// The integer that a wire value means in a field of that type, sign-extended. Types of 32 bits use the low 32 bits, as
// protobuf's parsers do.
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

// Iterates over the fields of a payload, in the order in which they are written.
class Fields {
 public:
  // Requires: the payload was checked against the message, and outlives *this.
  Fields(const Message& message, Bytes payload)
      : message_{message}, at_{payload.data()}, end_{payload.data() + payload.size()} {}
  // Moves to the next value; false: there is none. Call before the first value().
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
      value_.field = field && field->wire() == wire ? field : nullptr;
      return true;
    }
    value_.integer = 0;
    value_.bytes = {at_, static_cast<std::size_t>(number)};
    value_.field = field && (field->wire() == wire || field->may_be_packed()) ? field : nullptr;
    at_ += number;
    return true;
  }
  const Value& value() const { return value_; }  // lives until next()
  const std::byte* at() const { return at_; }    // the byte behind the value

 private:
  bool next_of_any();  // longer tags, other wire types

  const Message& message_;
  const std::byte* at_;
  const std::byte* end_;
  Value value_;
};

// The value of a field that is not repeated: the last one, as in protobuf. Nothing: it is absent. Requires: the payload
// was checked against the message.
std::optional<Value> find_value(const Field& field, const Message& message, Bytes payload);
// The same as an integer; `otherwise` if it is absent.
inline std::uint64_t integer_or(const Field& field, const Message& message, Bytes payload, std::uint64_t otherwise) {
  const auto value = find_value(field, message, payload);
  return value ? static_cast<std::uint64_t>(as_integer(field.type, value->integer)) : otherwise;
}

// What follows one entry: the plan of its kind with the numbers of its message.
struct ExtraSizes {
  enum class Follows : std::uint8_t { nothing, parts, messages, rest_of_image };
  struct Size {  // of one part
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

// Appends the shortest varint of the value.
void append_varint(std::string& out, std::uint64_t value);

// The message as CRIU would write it: ascending field numbers, shortest varints, lists packed where CRIU packs them,
// repeated occurrences of a single message merged. Unknown fields are kept and sorted by number. Requires: the payload
// was checked. Takes linear time; memory stays below four times the larger of payload and result, plus some KiB for
// each level of nesting.
std::string canonical(const Message& message, Bytes payload);

// The result of check().
struct Checked {
  Reason reason = Reason::none;  // none: the payload is valid
  bool canonical = true;
  bool has_unknown = false;  // a field that the schema lacks, or has with another wire type
  std::size_t offset = 0;    // in the payload, of what is wrong; so are the members below
  std::uint64_t want = 0;
  std::uint64_t have = 0;
  const Field* field = nullptr;
};
// Checks a payload: wire format, lengths, nesting, required fields. False: it is invalid, and the verdict says why.
// Requires: the verdict is newly made.
bool check(const Message& message, Bytes payload, Checked& verdict);
// Whether a payload is of the draft form: it has a field that only `draft` has. `verdict` is check()'s for the form
// chosen.
bool is_draft(const Message& draft, const Message& message, Bytes payload, Checked& verdict);
inline Checked check(const Message& message, Bytes payload) {
  Checked verdict;
  (void)check(message, payload, verdict);
  return verdict;
}

// What Sink::many took from the front of unchecked bytes.
struct Taken {
  std::size_t bytes = 0;
  std::uint64_t entries = 0;
  Step step = Step::go;
};

// For a many() that only counts or passes on entries: how many complete, valid and canonical ones there are at the
// front.
Taken take_canonical(const Message& message, Bytes unchecked);

// The result of value_at().
struct FoundValue {
  std::optional<Value> value;    // nothing: absent
  const Field* field = nullptr;  // null: the path names no field, or leads through a list
};
// The value at a path of field names, "reg.name". Requires: the payload was checked. Views are of the payload.
FoundValue value_at(const Message& message, Bytes payload, std::string_view path);

// A value for set_field(), made from any integer or enum, a bool, or a text, of which it is a view.
struct FieldValue {
  bool is_text = false;
  bool is_negative = false;
  std::uint64_t integer = 0;
  std::string_view text = {};

  template <std::same_as<bool> Bool>  // and nothing that converts to one
  FieldValue(Bool value) : integer{value} {}
  template <typename Enum>
  requires std::is_enum_v<Enum> FieldValue(Enum value) : FieldValue{static_cast<std::underlying_type_t<Enum>>(value)} {}
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) FieldValue(Integer value)
      : is_negative{std::cmp_less(value, 0)}, integer{static_cast<std::uint64_t>(value)} {}
  FieldValue(std::string_view value) : is_text{true}, text{value} {}
  FieldValue(const std::string& value) : is_text{true}, text{value} {}
  FieldValue(const char* value) : is_text{true}, text{value} {}
};

// Sets a field by its path, "cwd_id" or "reg.name", at the position where CRIU writes it. Messages on the way are added
// where they are missing. Requires: the payload was checked. Reasons: usage (there is no such field, it is repeated, or
// it can't hold the value); the payload is then unchanged.
Error set_field(const Message& message, std::string& payload, std::string_view path, const FieldValue& value);
// The payload without a field of its message, wherever its values stand. Requires: the payload was checked.
std::string without(const Message& message, Bytes payload, const Field& field);

}  // namespace critpipe
#pragma GCC visibility pop
