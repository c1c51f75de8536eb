// Numbers as text, as fast as the machine does it. Each writes at `at` and returns the place after.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace critpipe {

constexpr std::size_t max_number_text = 24;  // "-9223372036854775808", "18446744073709551615", and room to overwrite

namespace detail {

// The eight digits of a number below 10^8, the first in the lowest byte, without '0'.
inline std::uint64_t eight_digits(std::uint64_t value) {
  // Halves, then pairs, then single digits, all lanes at once; the divisions are multiplications.
  const std::uint64_t high = value / 10000;
  std::uint64_t lanes = high | (value - high * 10000) << 32;
  std::uint64_t quotients = (lanes * 10486 >> 20) & 0x0000007f0000007f;
  lanes = quotients | (lanes - quotients * 100) << 16;
  quotients = (lanes * 103 >> 10) & 0x000f000f000f000f;
  return quotients | (lanes - quotients * 10) << 8;
}

constexpr std::uint64_t zeros_text = 0x3030303030303030;

inline char* put_eight(char* at, std::uint64_t below_100000000) {
  const std::uint64_t text = eight_digits(below_100000000) | zeros_text;
  std::memcpy(at, &text, 8);
  return at + 8;
}

// Without leading zeros.
inline char* put_to_eight(char* at, std::uint64_t below_100000000) {
  const std::uint64_t digits = eight_digits(below_100000000);
  const int leading = std::countr_zero(digits | std::uint64_t{1} << 56) & ~7;
  const std::uint64_t text = (digits | zeros_text) >> leading;
  std::memcpy(at, &text, 8);
  return at + 8 - (leading >> 3);
}

}  // namespace detail

// Requires: max_number_text bytes of room.
inline char* put_decimal(char* at, std::uint64_t value) {
  constexpr std::uint64_t e8 = 100000000;
  if (value < 10) {
    *at = static_cast<char>('0' + value);
    return at + 1;
  }
  if (value < e8) return detail::put_to_eight(at, value);
  const std::uint64_t high = value / e8;
  if (high < e8) return detail::put_eight(detail::put_to_eight(at, high), value - high * e8);
  at = detail::put_to_eight(at, high / e8);
  return detail::put_eight(detail::put_eight(at, high % e8), value - high * e8);
}

inline char* put_signed(char* at, std::int64_t value) {
  if (value >= 0) return put_decimal(at, static_cast<std::uint64_t>(value));
  *at++ = '-';
  return put_decimal(at, ~static_cast<std::uint64_t>(value) + 1);
}

// 0x and lower-case digits without leading zeros; a negative number is -0x..., as Python prints it.
inline char* put_hex(char* at, std::uint64_t value) {
  *at++ = '0';
  *at++ = 'x';
  int nibbles = 1;
  while (nibbles < 16 && value >> (4 * nibbles)) ++nibbles;
  for (int i = nibbles; i-- > 0;) *at++ = "0123456789abcdef"[value >> (4 * i) & 15];
  return at;
}

inline char* put_text(char* at, const char* text, std::size_t size) {
  std::memcpy(at, text, size);
  return at + size;
}

}  // namespace critpipe
