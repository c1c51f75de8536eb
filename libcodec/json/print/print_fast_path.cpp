#include "json/print/print_fast_path.hpp"

#include <algorithm>
#include <array>

#include "critpipe/base.hpp"
#include "wire/wire_fast_path.hpp"
#include "json/print/message_printer.hpp"
#include "base/base64.hpp"
#include "base/json_escape.hpp"
#include "base/decimal.hpp"

namespace critpipe {

namespace {

// What is written after the limit at most: one key, one value, and all the brackets that close behind it. Texts and
// bytes end before the limit, with all that they write beyond their end.
constexpr std::size_t tail_room = 512;
static_assert(Field::key_room + std::max(max_number_text, longest_enum_name + 2) + 2 * (max_nesting + 2) <= tail_room);

// Numbers below 128 as text; the last byte is its length.
constexpr auto byte_texts = [] {
  std::array<std::array<char, 4>, 128> all{};
  for (unsigned number = 0; number < all.size(); ++number) {
    std::array<char, 4>& text = all[number];
    unsigned size = 0;
    for (unsigned place = number >= 100 ? 100 : number >= 10 ? 10 : 1; place > 0; place /= 10)
      text[size++] = static_cast<char>('0' + number / place % 10);
    text[3] = static_cast<char>(size);
  }
  return all;
}();

inline char* put_byte(char* at, std::size_t below_128) {
  std::memcpy(at, byte_texts[below_128].data(), 4);
  return at + byte_texts[below_128][3];
}

// One bit a type whose small values are printed as they stand on the wire.
constexpr unsigned plain_types = 1u << static_cast<unsigned>(Type::int32) | 1u << static_cast<unsigned>(Type::int64) |
                                 1u << static_cast<unsigned>(Type::uint32) | 1u << static_cast<unsigned>(Type::uint64);

// All return null where the message is left to the Printer.
class FastPrinter {
 public:
  explicit FastPrinter(char* room) : limit_{room + fast_path_room - tail_room} {}
  char* object(char* at, const Message& message, const std::byte* from, const std::byte* end, int depth);

 private:
  char* value(char* at, const Field& field, const std::byte*& from, const std::byte* end, int depth);
  char* list(char* at, const Field& field, const std::byte*& from, const std::byte* end, int depth);
  char* number(char* at, const Field& field, const std::byte*& from, const std::byte* end);
  char* delimited(char* at, const Field& field, const std::byte*& from, const std::byte* end, int depth);
  bool has_room(const char* at, std::size_t size) const {
    return at <= limit_ && static_cast<std::size_t>(limit_ - at) >= size;
  }

  const char* const limit_;  // tail_room before the end
};

char* FastPrinter::object(char* at, const Message& message, const std::byte* from, const std::byte* end, int depth) {
  const Field* field = message.fields;
  const Field* const fields_end = field + message.nr_fields;
  std::size_t skip = 2;  // no comma before the first
  *at++ = '{';
  while (from != end) {
    const std::uint32_t tag = canonical_tag(from, end);
    for (;; ++field) {
      if (field == fields_end) return nullptr;
      if (field->tag == tag && !field->packed) break;
      if (field->required) return nullptr;
    }
    if (at > limit_) return nullptr;
    at = put_key(at, *field, skip);
    skip = 0;
    at = field->repeated ? list(at, *field, from, end, depth) : value(at, *field, from, end, depth);
    if (!at) return nullptr;
    ++field;
  }
  for (; field != fields_end; ++field)
    if (field->required) return nullptr;
  *at++ = '}';
  return at;
}

inline char* FastPrinter::value(char* at, const Field& field, const std::byte*& from, const std::byte* end, int depth) {
  if (from == end) return nullptr;
  if (field.wire() != Wire::varint) return delimited(at, field, from, end, depth);
  const auto first = std::to_integer<std::size_t>(*from);
  if (first >= 0x80 || !(plain_types >> static_cast<unsigned>(field.type) & 1)) return number(at, field, from, end);
  ++from;
  return put_byte(at, first);
}

char* FastPrinter::list(char* at, const Field& field, const std::byte*& from, const std::byte* end, int depth) {
  *at++ = '[';
  for (;;) {
    at = value(at, field, from, end, depth);
    if (!at || at > limit_) return nullptr;
    const std::byte* next = from;
    if (next == end || canonical_tag(next, end) != field.tag) break;
    from = next;
    at = put_text(at, ", ", 2);
  }
  *at++ = ']';
  return at;
}

char* FastPrinter::number(char* at, const Field& field, const std::byte*& from, const std::byte* end) {
  auto wire = std::to_integer<std::uint64_t>(*from);
  if (wire < 0x80) ++from;
  else if (!canonical_varint(from, end, wire) || !canonical_integer(field.type, wire)) return nullptr;
  switch (field.type) {
    case Type::uint32:
    case Type::uint64: return put_decimal(at, wire);
    case Type::boolean:
      if (wire > 1) return nullptr;
      return wire != 0 ? put_text(at, "true", 4) : put_text(at, "false", 5);
    case Type::enumeration: return put_enumerator(at, field, wire);
    default: return put_signed(at, as_integer(field.type, wire));
  }
}

char* FastPrinter::delimited(char* at, const Field& field, const std::byte*& from, const std::byte* end, int depth) {
  std::size_t size;
  if (field.wire() != Wire::bytes || !canonical_length(from, end, size)) return nullptr;
  const Bytes bytes{from, size};
  from += size;
  if (field.type == Type::message)
    return depth < max_nesting ? object(at, field.message(), bytes.data(), from, depth + 1) : nullptr;
  *at++ = '"';
  if (field.type == Type::string) {
    if (!has_room(at, size + 16)) return nullptr;
    at = put_plain(at, {reinterpret_cast<const char*>(bytes.data()), size});
    if (!at) return nullptr;
  } else {
    if (field.show == Show::unix_name || !has_room(at, Base64Encoder::json_room(size))) return nullptr;
    Base64Encoder encoder;
    at = encoder.finish(encoder.feed(bytes, at));
  }
  *at++ = '"';
  return at;
}

}  // namespace

char* print_fast(char* at, const Message& message, Bytes payload) {
  return FastPrinter{at}.object(at, message, payload.data(), payload.data() + payload.size(), 0);
}

}  // namespace critpipe
