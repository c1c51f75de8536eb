#include "json/parse/encode_fast_path.hpp"

#include <cassert>
#include <limits>

#include "base/decimal.hpp"
#include "critpipe/fields.hpp"
#include "critpipe/base.hpp"
#include "schema_index.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace critpipe {

namespace {

constexpr std::size_t payload_room = 8192;  // longer payloads are left to the MessageEncoder

// What is written after the limit at most: one tag and one number or length, then for each message around it what its
// length takes more than the one byte that was left for it. Texts end before the limit.
constexpr std::size_t tail_room = 128;
static_assert(2 * WireBuffer::varint_room + max_nesting * (varint_size(payload_room) - 1) <= tail_room);

// What is read beyond the end of the text at most: 16 bytes of a number, of which it takes 15 and a sign, then a key
// and what stands behind it, or the name of an enum's value. Nothing else begins beyond the end.
static_assert(16 + Field::key_room <= readable_behind_json && longest_enum_name + 2 <= readable_behind_json);

std::uint64_t load_text(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

// Does the text go on with the key of the field? The first one stands without its comma and blank.
inline bool has_key(const char* at, const Field& field, std::size_t skip) {
  const std::size_t size = field.key_size - skip;
#if defined(__SSE2__)
  if (size <= 32) [[likely]] {
    const char* const key = reinterpret_cast<const char*>(&field) + skip;
    const auto same = [&](std::size_t from) {
      const __m128i left = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + from));
      const __m128i right = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key + from));
      return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(left, right)));
    };
    return ~(same(0) | same(16) << 16) << (32 - size) == 0;
  }
#endif
  return std::memcmp(at, field.key + skip, size) == 0;
}

// The number that eight digits, without '0', say; the first is in the lowest byte.
inline std::uint64_t join_digits(std::uint64_t digits) {
  digits = digits * 10 + (digits >> 8);
  constexpr std::uint64_t pairs = 0x000000ff000000ff;
  return ((digits & pairs) * 0x000f424000000064 + (digits >> 16 & pairs) * 0x0000271000000001) >> 32;
}

// How many of the 16 bytes are digits, from the first on.
inline unsigned count_digits(const char* at) {
#if defined(__SSE2__)
  const __m128i digits = _mm_sub_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)), _mm_set1_epi8('0'));
  const __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
  return static_cast<unsigned>(std::countr_zero(~static_cast<unsigned>(_mm_movemask_epi8(is_digit))));
#else
  const auto of_eight = [](std::uint64_t text) {
    const std::uint64_t digits = text ^ detail::zeros_text;
    const std::uint64_t others = (((digits & 0x7f7f7f7f7f7f7f7f) + 0x7676767676767676) | digits) & 0x8080808080808080;
    return static_cast<unsigned>(std::countr_zero(others)) >> 3;
  };
  const unsigned first = of_eight(load_text(at));
  return first < 8 ? first : 8 + of_eight(load_text(at + 8));
#endif
}

// Up to 15 digits, without zeros before them. Null: something else.
inline const char* take_digits(const char* at, std::uint64_t& value) {
  const unsigned count = count_digits(at);
  if (count - 1 > 14 || (*at == '0' && count > 1)) return nullptr;
  const auto number_of = [at](unsigned nr_digits) {
    return join_digits((load_text(at) ^ detail::zeros_text) << (64 - 8 * nr_digits));
  };
  constexpr std::uint64_t e8 = 100000000;
  if (count <= 8) value = number_of(count);
  else value = number_of(count - 8) * e8 + join_digits(load_text(at + count - 8) ^ detail::zeros_text);
  return at + count;
}

// Where a text of plain characters ends; null if it has others. Reads up to 15 bytes beyond it.
inline const char* plain_end(const char* at, const char* end) {
#if defined(__SSE2__)
  for (; at < end; at += 16) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i quote = _mm_cmpeq_epi8(text, _mm_set1_epi8('"'));
    const __m128i other = _mm_or_si128(_mm_cmplt_epi8(text, _mm_set1_epi8(0x20)),  // and bytes from 0x80 on
                                       _mm_cmpeq_epi8(text, _mm_set1_epi8('\\')));
    const int mask = _mm_movemask_epi8(_mm_or_si128(quote, other));
    if (mask == 0) continue;
    at += std::countr_zero(static_cast<unsigned>(mask));
    return *at == '"' ? at : nullptr;
  }
#else
  for (; at < end; ++at) {
    if (*at == '"') return at;
    if (static_cast<signed char>(*at) < 0x20 || *at == '\\') return nullptr;
  }
#endif
  return nullptr;
}

// A varint of up to eight bytes, the sevens of the value spread over them.
inline std::byte* put_varint(std::byte* out, std::uint64_t value) {
  if (value < 0x80) [[likely]] {
    *out = static_cast<std::byte>(value);
    return out + 1;
  }
  if (value >> 56 != 0) return WireBuffer::put_varint(out, value);
  const unsigned size = (static_cast<unsigned>(std::bit_width(value)) * 9 + 64) >> 6;  // a seventh, rounded up
  value = (value & 0x000000000fffffff) | (value & 0x00fffffff0000000) << 4;
  value = (value & 0x00003fff00003fff) | (value & 0x0fffc0000fffc000) << 2;
  value = (value & 0x007f007f007f007f) | (value & 0x3f803f803f803f80) << 1;
  value |= 0x8080808080808080 >> (72 - 8 * size);
  std::memcpy(out, &value, 8);
  return out + size;
}

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// One bit a type whose small values stand on the wire as they are.
constexpr unsigned plain_types = 1u << static_cast<unsigned>(Type::int32) | 1u << static_cast<unsigned>(Type::int64) |
                                 1u << static_cast<unsigned>(Type::uint32) | 1u << static_cast<unsigned>(Type::uint64);

// The largest value of such a type. Those of 64 bits hold all that take_digits() takes.
constexpr std::uint64_t most_of(Type type) {
  switch (type) {
    case Type::int32: return std::numeric_limits<std::int32_t>::max();
    case Type::uint32: return std::numeric_limits<std::uint32_t>::max();
    case Type::int64: return std::numeric_limits<std::int64_t>::max();
    default: return std::numeric_limits<std::uint64_t>::max();
  }
}

// The next character and where the next byte goes.
struct Cursor {
  const char* at;  // null: refused, the message is left to the MessageEncoder
  std::byte* out;
};
constexpr Cursor refused{nullptr, nullptr};

// notes: the numbers of the outermost message.
template <bool notes>
class FastEncoder {
 public:
  FastEncoder(const char* end, const std::byte* limit, NotedNumbers* noted) : end_{end}, limit_{limit}, noted_{noted} {}
  Cursor object(Cursor cursor, const Message& message, int depth) const;

 private:
  Cursor value(Cursor cursor, const Field& field, int depth) const;
  Cursor long_value(Cursor cursor, const Field& field, int depth) const;
  Cursor list(Cursor cursor, const Field& field, int depth) const;
  Cursor number(Cursor cursor, const Field& field) const;
  Cursor word(Cursor cursor, const Field& field) const;
  Cursor text(Cursor cursor) const;
  // Not inlined: what it has on the stack would be guarded in each call of long_value().
  [[gnu::noinline]] Cursor nested(Cursor cursor, const Field& field, int depth) const;
  void note(const Field& field, std::uint64_t value) const {
    if constexpr (notes)
      if (field.number < NotedNumbers::room) noted_->of_field[field.number] = value;
  }

  const char* const end_;
  const std::byte* const limit_;  // tail_room before the end
  NotedNumbers* const noted_;
};

inline std::byte* put_tag(std::byte* out, const Field& field) {
  if (field.tag < 0x80) [[likely]] {
    *out = static_cast<std::byte>(field.tag);
    return out + 1;
  }
  return WireBuffer::put_varint(out, field.tag);
}

template <bool notes>
inline Cursor FastEncoder<notes>::value(Cursor cursor, const Field& field, int depth) const {
  if (cursor.out > limit_ || cursor.at >= end_) return refused;
  cursor.out = put_tag(cursor.out, field);
  if (!(plain_types >> static_cast<unsigned>(field.type) & 1) || !is_digit(cursor.at[0]))
    return long_value(cursor, field, depth);
  std::uint64_t value;
  if (!is_digit(cursor.at[1])) {  // as most are
    value = static_cast<std::uint64_t>(cursor.at[0] - '0');
    *cursor.out++ = static_cast<std::byte>(value);
    ++cursor.at;
  } else {
    cursor.at = take_digits(cursor.at, value);
    if (!cursor.at || value > most_of(field.type)) return refused;
    cursor.out = put_varint(cursor.out, value);
  }
  note(field, value);
  return cursor;
}

template <bool notes>
Cursor FastEncoder<notes>::object(Cursor cursor, const Message& message, int depth) const {
  const Field* field = message.fields;
  const Field* const fields_end = field + message.nr_fields;
  std::size_t skip = 2;
  ++cursor.at;  // {
  while (*cursor.at != '}') {
    for (;; ++field) {
      if (field == fields_end) return refused;
      if (has_key(cursor.at, *field, skip)) break;
      if (field->required) return refused;
    }
    cursor.at += field->key_size - skip;
    skip = 0;
    cursor = field->repeated ? list(cursor, *field, depth) : value(cursor, *field, depth);
    if (!cursor.at) return refused;
    ++field;
  }
  for (; field != fields_end; ++field)
    if (field->required) return refused;
  ++cursor.at;
  return cursor;
}

template <bool notes>
Cursor FastEncoder<notes>::long_value(Cursor cursor, const Field& field, int depth) const {
  switch (field.type) {
    case Type::int32:
    case Type::int64:
    case Type::uint32:
    case Type::uint64:
    case Type::sint32:
    case Type::sint64: return number(cursor, field);
    case Type::boolean:
    case Type::enumeration: return word(cursor, field);
    case Type::string: return text(cursor);
    case Type::message: return depth < max_nesting ? nested(cursor, field, depth) : refused;
    default: return refused;
  }
}

template <bool notes>
Cursor FastEncoder<notes>::list(Cursor cursor, const Field& field, int depth) const {
  if (*cursor.at != '[' || field.packed) return refused;
  for (++cursor.at;; cursor.at += 2) {
    cursor = value(cursor, field, depth);
    if (!cursor.at) return refused;
    if (*cursor.at == ']') break;
    if (cursor.at[0] != ',' || cursor.at[1] != ' ') return refused;
  }
  ++cursor.at;
  return cursor;
}

// Refuses numbers that do not fit their type, and a minus of unsigned fields.
template <bool notes>
inline Cursor FastEncoder<notes>::number(Cursor cursor, const Field& field) const {
  const bool negative = *cursor.at == '-';
  std::uint64_t value;
  cursor.at = take_digits(cursor.at + negative, value);
  if (!cursor.at || (negative && value == 0)) return refused;
  switch (field.type) {
    case Type::uint64:
    case Type::uint32: return refused;  // value() takes what has no sign, of int32 and int64, too
    case Type::int32:
      if (value >> 31 != 0) return refused;
      [[fallthrough]];
    case Type::int64: value = std::uint64_t{0} - value; break;
    case Type::sint32:
      if (value >> 31 != 0) return refused;
      [[fallthrough]];
    default: value = 2 * value - negative; break;
  }
  note(field, value);
  cursor.out = put_varint(cursor.out, value);
  return cursor;
}

template <bool notes>
Cursor FastEncoder<notes>::word(Cursor cursor, const Field& field) const {
  const auto is = [&](std::string_view word) { return std::memcmp(cursor.at, word.data(), word.size()) == 0; };
  if (field.type == Type::boolean) {
    const bool yes = is("true");
    if (!yes && !is("false")) return refused;
    return {cursor.at + (yes ? 4 : 5), put_varint(cursor.out, yes)};
  }
  if (*cursor.at != '"') return refused;
  ++cursor.at;
  for (const Name& name : field.enum_values())
    if (is(name.name) && cursor.at[name.name.size()] == '"' && cursor.at + name.name.size() < end_)
      return {cursor.at + name.name.size() + 1, put_varint(cursor.out, name.value)};
  return refused;
}

template <bool notes>
Cursor FastEncoder<notes>::text(Cursor cursor) const {
  if (*cursor.at != '"') return refused;
  const char* const begin = cursor.at + 1;
  const char* const quote = plain_end(begin, end_);
  if (!quote) return refused;
  const auto size = static_cast<std::size_t>(quote - begin);
  if (static_cast<std::ptrdiff_t>(size) > limit_ - cursor.out) return refused;
  cursor.out = put_varint(cursor.out, size);
  std::memcpy(cursor.out, begin, size);
  return {quote + 1, cursor.out + size};
}

template <bool notes>
Cursor FastEncoder<notes>::nested(Cursor cursor, const Field& field, int depth) const {
  if (*cursor.at != '{') return refused;
  std::byte* const length = cursor.out;
  cursor.out = length + 1;
  if constexpr (notes) cursor = FastEncoder<false>{end_, limit_, nullptr}.object(cursor, field.message(), depth + 1);
  else cursor = object(cursor, field.message(), depth + 1);
  if (!cursor.at || cursor.at > end_) return refused;
  const auto size = static_cast<std::size_t>(cursor.out - length - 1);
  if (size >= 0x80) {
    std::memmove(length + varint_size(size), length + 1, size);
    cursor.out = length + varint_size(size) + size;
  }
  assert(cursor.out <= limit_ + tail_room);
  WireBuffer::put_varint(length, size);
  return cursor;
}

}  // namespace

namespace {

template <bool notes>
inline const char* encode(const Message& message, const char* at, const char* end, WireBuffer& out,
                          NotedNumbers* noted) {
  std::byte* const room = out.reserve(payload_room);
  const FastEncoder<notes> encoder{end, room + payload_room - tail_room, noted};
  const Cursor after = encoder.object({at, room}, message, 0);
  if (!after.at || after.at > end) return nullptr;
  out.commit(after.out);
  return after.at;
}

}  // namespace

const char* encode_fast(const Message& message, const char* at, const char* end, WireBuffer& out) {
  return encode<false>(message, at, end, out, nullptr);
}

const char* encode_fast(const Message& message, const char* at, const char* end, WireBuffer& out, NotedNumbers& noted) {
  return encode<true>(message, at, end, out, &noted);
}

}  // namespace critpipe
