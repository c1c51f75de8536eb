#include "json/parse/encode_fast_path.hpp"

#include <array>

#include "critpipe/fields.hpp"
#include "critpipe/base.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace critpipe {

namespace {

constexpr std::size_t small_room = 8192;  // of a payload; what is longer goes the long way
constexpr std::size_t value_room = 128;   // tags, numbers, and lengths that turn out longer

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

// How many of eight bytes are digits, from the first on; `digits` becomes what they say without '0'.
inline unsigned count_digits(std::uint64_t text, std::uint64_t& digits) {
  digits = text ^ 0x3030303030303030;
  const std::uint64_t others = (((digits & 0x7f7f7f7f7f7f7f7f) + 0x7676767676767676) | digits) & 0x8080808080808080;
  return others == 0 ? 8 : static_cast<unsigned>(std::countr_zero(others)) >> 3;
}

constexpr std::array<std::uint64_t, 9> powers = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

// Up to 15 digits, without zeros before them. Null: something else.
inline const char* take_digits(const char* at, std::uint64_t& value) {
  std::uint64_t digits;
  const unsigned count = count_digits(load_text(at), digits);
  if (count == 1) [[likely]] {
    value = digits & 0xff;
    return at + 1;
  }
  if (count == 0 || *at == '0') return nullptr;
  value = join_digits(digits << (64 - 8 * count));
  if (count < 8) return at + count;
  const unsigned more = count_digits(load_text(at + 8), digits);
  if (more == 8) return nullptr;
  if (more > 0) value = value * powers[more] + join_digits(digits << (64 - 8 * more));
  return at + 8 + more;
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

// Where the walk is; a text of null says that it goes no further.
struct Place {
  const char* at;
  std::byte* out;
};
constexpr Place nowhere{nullptr, nullptr};

class Walk {
 public:
  Walk(const char* end, std::byte* room) : end_{end}, limit_{room + small_room - value_room} {}
  Place object(Place place, const Message& message, int depth) const;

 private:
  Place value(Place place, const Field& field, int depth) const;
  Place long_value(Place place, const Field& field, int depth) const;
  Place list(Place place, const Field& field, int depth) const;
  Place number(Place place, const Field& field) const;
  Place word(Place place, const Field& field) const;
  Place text(Place place) const;
  Place nested(Place place, const Field& field, int depth) const;

  const char* const end_;
  const std::byte* const limit_;  // a value that begins before it has room
};

inline std::byte* put_tag(std::byte* out, const Field& field) {
  if (field.tag < 0x80) [[likely]] {
    *out = static_cast<std::byte>(field.tag);
    return out + 1;
  }
  return WireBuffer::put_varint(out, field.tag);
}

inline Place Walk::value(Place place, const Field& field, int depth) const {
  if (place.out > limit_ || place.at >= end_) return nowhere;
  place.out = put_tag(place.out, field);
  // Most are one digit.
  if (is_digit(place.at[0]) && !is_digit(place.at[1]) && (plain_types >> static_cast<unsigned>(field.type) & 1)) {
    *place.out = static_cast<std::byte>(place.at[0] - '0');
    return {place.at + 1, place.out + 1};
  }
  return long_value(place, field, depth);
}

Place Walk::object(Place place, const Message& message, int depth) const {
  const Field* field = message.fields;
  const Field* const fields_end = field + message.nr_fields;
  std::size_t skip = 2;
  ++place.at;  // {
  while (*place.at != '}') {
    for (;; ++field) {
      if (field == fields_end) return nowhere;
      if (has_key(place.at, *field, skip)) break;
      if (field->required) return nowhere;
    }
    place.at += field->key_size - skip;
    skip = 0;
    place = field->repeated ? list(place, *field, depth) : value(place, *field, depth);
    if (!place.at) return nowhere;
    ++field;
  }
  for (; field != fields_end; ++field)
    if (field->required) return nowhere;
  ++place.at;
  return place;
}

Place Walk::long_value(Place place, const Field& field, int depth) const {
  switch (field.type) {
    case Type::int32:
    case Type::int64:
    case Type::uint32:
    case Type::uint64:
    case Type::sint32:
    case Type::sint64: return number(place, field);
    case Type::boolean:
    case Type::enumeration: return word(place, field);
    case Type::string: return text(place);
    case Type::message: return depth < max_nesting ? nested(place, field, depth) : nowhere;
    default: return nowhere;
  }
}

Place Walk::list(Place place, const Field& field, int depth) const {
  if (*place.at != '[') return nowhere;
  for (++place.at;; place.at += 2) {
    place = value(place, field, depth);
    if (!place.at) return nowhere;
    if (*place.at == ']') break;
    if (place.at[0] != ',' || place.at[1] != ' ') return nowhere;
  }
  ++place.at;
  return place;
}

// Numbers that would not fit their type go the long way, and so do unsigned fields with a minus.
inline Place Walk::number(Place place, const Field& field) const {
  const bool negative = *place.at == '-';
  std::uint64_t value;
  place.at = take_digits(place.at + negative, value);
  if (!place.at || (negative && value == 0)) return nowhere;
  switch (field.type) {
    case Type::uint64:
      if (negative) return nowhere;
      break;
    case Type::uint32:
      if (negative || value >> 32 != 0) return nowhere;
      break;
    case Type::int32:
      if (value >> 31 != 0) return nowhere;
      [[fallthrough]];
    case Type::int64: value = negative ? std::uint64_t{0} - value : value; break;
    case Type::sint32:
      if (value >> 31 != 0) return nowhere;
      [[fallthrough]];
    default: value = 2 * value - negative; break;
  }
  place.out = put_varint(place.out, value);
  return place;
}

Place Walk::word(Place place, const Field& field) const {
  const auto is = [&](std::string_view word) { return std::memcmp(place.at, word.data(), word.size()) == 0; };
  if (field.type == Type::boolean) {
    const bool yes = is("true");
    if (!yes && !is("false")) return nowhere;
    return {place.at + (yes ? 4 : 5), put_varint(place.out, yes)};
  }
  if (*place.at != '"') return nowhere;
  ++place.at;
  for (const Name& name : field.enum_values())
    if (is(name.name) && place.at[name.name.size()] == '"')
      return {place.at + name.name.size() + 1, put_varint(place.out, name.value)};
  return nowhere;
}

Place Walk::text(Place place) const {
  if (*place.at != '"') return nowhere;
  const char* const begin = place.at + 1;
  const char* const quote = plain_end(begin, end_);
  if (!quote) return nowhere;
  const auto size = static_cast<std::size_t>(quote - begin);
  if (size > static_cast<std::size_t>(limit_ - place.out) + value_room / 2) return nowhere;
  place.out = put_varint(place.out, size);
  std::memcpy(place.out, begin, size);
  return {quote + 1, place.out + size};
}

Place Walk::nested(Place place, const Field& field, int depth) const {
  if (*place.at != '{') return nowhere;
  std::byte* const length = place.out;
  place.out = length + 1;
  place = object(place, field.message(), depth + 1);
  if (!place.at) return nowhere;
  const auto size = static_cast<std::size_t>(place.out - length - 1);
  if (size >= 0x80) {
    std::memmove(length + varint_size(size), length + 1, size);
    place.out = length + varint_size(size) + size;
  }
  WireBuffer::put_varint(length, size);
  return place;
}

}  // namespace

const char* encode_small(const Message& message, const char* at, const char* end, WireBuffer& out) {
  std::byte* const room = out.reserve(small_room);
  const Place after = Walk{end, room}.object({at, room}, message, 0);
  if (!after.at || after.at > end) return nullptr;
  out.commit(after.out);
  return after.at;
}

}  // namespace critpipe
