// Fields of one message as members of a JSON object. Internal.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "critpipe/fields.hpp"
#include "critpipe/output.hpp"
#include "json/print/print_fast_path.hpp"
#include "base/decimal.hpp"
#include "schema_index.hpp"

namespace critpipe {

// Messages that stand deepest in a document are those of an extra: in its list, in the entry, in the list of entries.
constexpr int entry_depth = 2;
constexpr int extra_message_depth = entry_depth + 2;
// A message in a list is indented twice, once for the list. In the deepest one stand members, the elements of their
// lists, and the members of these where they are unknown fields.
constexpr int deepest_line = extra_message_depth + 2 * max_nesting + 3;
constexpr std::size_t line_room = 1 + 4 * deepest_line;

// What a value takes without the bytes of texts, which make room for themselves.
constexpr std::size_t value_room =
    std::max({max_number_text, sizeof "{\"base64\": \"", longest_enum_name + 2, longest_flags + 2});
// The most that is written at once: the end of a list, the next key, the beginning of its list, a value, and the
// brackets and commas around them. Whoever writes makes this room first, and again after a value.
constexpr std::size_t member_room = 3 * line_room + Field::key_room + value_room + 8;
constexpr std::size_t unknown_room = 3 * line_room + sizeof ", {\"field\": , \"fixed32\": \"" + 2 * max_number_text;
static_assert(unknown_room <= member_room);

inline char* put_newline(char* at, int depth) {
  assert(depth <= deepest_line);
  *at++ = '\n';
  std::memset(at, ' ', static_cast<std::size_t>(4 * depth));
  return at + 4 * depth;
}
// What stands before a member or an element: a comma unless it is the first, then a new line or a blank.
inline char* put_separator(char* at, bool indent, int depth, bool first) {
  if (!first) *at++ = ',';
  if (indent) return put_newline(at, depth);
  if (!first) *at++ = ' ';
  return at;
}
const std::byte* skip_unknown(const Message& message, const std::byte* tag_at, const std::byte* end);
// Both take texts of any size, and write out what fills the buffer.
char* put_string(Output& output, char* at, Bytes text);   // with quotes; what is no UTF-8 as {"base64"}
char* put_base64(Output& output, char* at, Bytes bytes);  // with quotes
char* put_unknown(Output& output, char* at, const Message& message, Bytes payload, bool indent, bool big_as_text,
                  int depth);
char* put_enumerator(char* at, const Field& field, std::uint64_t wire);
// The pretty forms of annotated values.
char* put_annotated(char* at, const Field& field, std::int64_t value, bool hex);
char* put_bytes_field(Output& output, char* at, const Field& field, Bytes bytes, bool big_as_text);
char* put_address_list(Output& output, char* at, std::span<const std::uint32_t> words, bool indent, int depth);

// human: annotated values as people read them. indent: a member a line. big_as_text: BigNumbers::text.
template <bool human, bool indent, bool big_as_text>
class Printer {
 public:
  explicit Printer(Output& output) : output_{output} {}

  // The members, without { and }. `first` says whether a comma is due, before and after.
  // Requires: payload is checked and canonical.
  char* members(char* at, const Message& message, Bytes payload, int depth, bool hex, bool& first);
  char* object(char* at, const Message& message, Bytes payload, int depth, bool hex);

 private:
  char* value(char* at, const Field& field, const std::byte*& from, int depth, bool hex);
  char* packed(char* at, const Field& field, const std::byte*& from, int depth, bool hex);
  char* integer(char* at, const Field& field, std::uint64_t wire, bool hex);
  char* bare_integer(char* at, const Field& field, std::uint64_t wire, bool hex);
  char* addresses(char* at, const Field& field, const std::byte*& from, const std::byte* end, int depth);
  char* unknown_members(char* at, const Message& message, Bytes payload, int depth, bool& first);
  char* key(char* at, const Field& field, int depth, bool first);
  static char* close_list(char* at, int depth) {
    if constexpr (indent) at = put_newline(at, depth);
    *at++ = ']';
    return at;
  }
  static char* next(char* at, int depth) { return put_separator(at, indent, depth, false); }

  Output& output_;
};

// The key without its first bytes. Whole vectors; what is beyond the key is overwritten by what follows.
inline char* put_key(char* at, const Field& field, std::size_t skip) {
  static_assert(Field::key_room == 48 && offsetof(Field, key) == 0 && sizeof(Field) >= 50);
  const char* const from = reinterpret_cast<const char*>(&field) + skip;
  std::memcpy(at, from, 32);
  if (field.key_size > 32) [[unlikely]]
    std::memcpy(at + 32, from + 32, 16);
  return at + field.key_size - skip;
}

template <bool human, bool indent, bool big_as_text>
inline char* Printer<human, indent, big_as_text>::key(char* at, const Field& field, int depth, bool first) {
  if constexpr (indent) at = first ? put_newline(at, depth) : next(at, depth);
  return put_key(at, field, indent || first ? 2 : 0);
}

template <bool human, bool indent, bool big_as_text>
char* Printer<human, indent, big_as_text>::members(char* at, const Message& message, Bytes payload, int depth, bool hex,
                                                   bool& is_first) {
  const std::byte* from = payload.data();
  const std::byte* const end = from + payload.size();
  const Field* field = message.fields;
  const Field* const fields_end = field + message.nr_fields;
  bool first = is_first;
  bool in_list = false;
  bool unknown = false;
  while (from != end) {
    at = output_.more(at, member_room);
    const std::byte* const tag_at = from;
    const auto tag = static_cast<std::uint32_t>(trusted_varint(from));
    const Field* const last = field;
    while (field != fields_end && field->tag < tag) ++field;  // canonical: both ascend
    if (in_list && field == last && field->tag == tag) {
      at = next(at, depth + 1);
    } else {
      if (in_list) at = close_list(at, depth);
      in_list = false;
      if (field == fields_end || field->tag != tag) [[unlikely]] {
        unknown = true;
        from = skip_unknown(message, tag_at, end);
        continue;
      }
      at = key(at, *field, depth, first);
      first = false;
      if (field->repeated) {
        if (human && field->show == Show::ip_address) {
          at = addresses(at, *field, from, end, depth);
          continue;
        }
        in_list = true;
        *at++ = '[';
        if constexpr (indent) at = put_newline(at, depth + 1);
      }
    }
    const bool number = (field->type == Type::uint64 && !big_as_text) || field->type == Type::uint32;
    if (field->packed) at = packed(at, *field, from, depth + 1, hex);
    else if (!human && number) [[likely]] at = put_decimal(at, trusted_varint(from, end));
    else at = value(at, *field, from, depth + in_list, hex);
  }
  if (in_list) at = close_list(output_.more(at, member_room), depth);
  if (unknown) at = unknown_members(at, message, payload, depth, first);
  is_first = first;
  return at;
}

// All values of a list.
template <bool human, bool indent, bool big_as_text>
char* Printer<human, indent, big_as_text>::packed(char* at, const Field& field, const std::byte*& from, int depth,
                                                  bool hex) {
  const auto size = static_cast<std::size_t>(trusted_varint(from));
  for (const std::byte* const end = from + size; from != end;) {
    at = value(at, field, from, depth, hex);
    if (from == end) break;
    at = next(output_.more(at, member_room), depth);
  }
  return at;
}

template <bool human, bool indent, bool big_as_text>
char* Printer<human, indent, big_as_text>::unknown_members(char* at, const Message& message, Bytes payload, int depth,
                                                           bool& first) {
  at = output_.more(at, member_room);
  if (!first) at = next(at, depth);
  else if constexpr (indent) at = put_newline(at, depth);
  first = false;
  return put_unknown(output_, at, message, payload, indent, big_as_text, depth);
}

template <bool human, bool indent, bool big_as_text>
char* Printer<human, indent, big_as_text>::object(char* at, const Message& message, Bytes payload, int depth,
                                                  bool hex) {
  bool first = true;
  *at++ = '{';
  at = members(at, message, payload, depth + 1, hex, first);
  at = output_.more(at, member_room);
  if constexpr (indent)
    if (!first) at = put_newline(at, depth);
  *at++ = '}';
  return at;
}

template <bool human, bool indent, bool big_as_text>
inline char* Printer<human, indent, big_as_text>::integer(char* at, const Field& field, std::uint64_t wire, bool hex) {
  if (!big_as_text || !field.is_big()) return bare_integer(at, field, wire, hex);
  char* const end = bare_integer(at + 1, field, wire, hex);
  if (at[1] == '"') {  // it is text anyway
    std::memmove(at, at + 1, static_cast<std::size_t>(end - at - 1));
    return end - 1;
  }
  *at = *end = '"';
  return end + 1;
}

template <bool human, bool indent, bool big_as_text>
inline char* Printer<human, indent, big_as_text>::bare_integer(char* at, const Field& field, std::uint64_t wire,
                                                               bool hex) {
  if constexpr (human)
    if (hex || field.show != Show::plain) return put_annotated(at, field, as_integer(field.type, wire), hex);
  switch (field.type) {
    case Type::uint32:
    case Type::fixed32: return put_decimal(at, static_cast<std::uint32_t>(wire));
    case Type::uint64:
    case Type::fixed64: return put_decimal(at, wire);
    default: return put_signed(at, as_integer(field.type, wire));
  }
}

template <bool human, bool indent, bool big_as_text>
char* Printer<human, indent, big_as_text>::value(char* at, const Field& field, const std::byte*& from, int depth,
                                                 bool hex) {
  switch (field.type) {
    case Type::boolean: return trusted_varint(from) != 0 ? put_text(at, "true", 4) : put_text(at, "false", 5);
    case Type::enumeration: return put_enumerator(at, field, trusted_varint(from));
    case Type::fixed32:
    case Type::sfixed32:
    case Type::float32: from += 4; return integer(at, field, load_u32(from - 4), hex);
    case Type::fixed64:
    case Type::sfixed64:
    case Type::float64: from += 8; return integer(at, field, load_u64(from - 8), hex);
    case Type::string:
    case Type::bytes:
    case Type::message: {
      const auto size = static_cast<std::size_t>(trusted_varint(from));
      const Bytes inside{from, size};
      from += size;
      if (!human && !indent && !big_as_text && field.type == Type::message) {
        at = output_.more(at, fast_path_room + member_room);
        if (char* const printed = print_fast(at, field.message(), inside)) return printed;
      }
      if (field.type == Type::message)
        return object(at, field.message(), inside, depth, hex || (human && field.show == Show::hex));
      if (field.type == Type::string) return put_string(output_, at, inside);
      return put_bytes_field(output_, at, field, inside, big_as_text);
    }
    default: return integer(at, field, trusted_varint(from), hex);
  }
}

template <bool human, bool indent, bool big_as_text>
char* Printer<human, indent, big_as_text>::addresses(char* at, const Field& field, const std::byte*& from,
                                                     const std::byte* end, int depth) {
  std::vector<std::uint32_t> words{static_cast<std::uint32_t>(trusted_varint(from))};
  while (from != end) {
    const std::byte* next_at = from;
    if (trusted_varint(next_at) != field.tag) break;
    words.push_back(static_cast<std::uint32_t>(trusted_varint(next_at)));
    from = next_at;
  }
  return put_address_list(output_, at, words, indent, depth);
}

}  // namespace critpipe
