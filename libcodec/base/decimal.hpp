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

// The text of a number below 2^32 with leading zeros, the first digit in the lowest byte.
inline std::uint64_t eight_hex_digits(std::uint64_t value) {
  std::uint64_t lanes = (value | value << 16) & 0x0000ffff0000ffff;
  lanes = (lanes | lanes << 8) & 0x00ff00ff00ff00ff;
  lanes = __builtin_bswap64((lanes | lanes << 4) & 0x0f0f0f0f0f0f0f0f);
  const std::uint64_t letters = (lanes + 0x0606060606060606) >> 4 & 0x0101010101010101;
  return lanes + zeros_text + letters * ('a' - '0' - 10);
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

// All 16 lower-case digits.
inline char* put_hex_16(char* at, std::uint64_t value) {
  const std::uint64_t halves[] = {detail::eight_hex_digits(value >> 32), detail::eight_hex_digits(value & 0xffffffff)};
  std::memcpy(at, halves, sizeof halves);
  return at + 16;
}

// The digits of put_hex_16 that are leading zeros; 0 itself has one digit.
inline int nr_leading_hex_zeros(std::uint64_t value) { return std::countl_zero(value | 1) >> 2; }

// 0x and the digits without leading zeros.
inline char* put_hex(char* at, std::uint64_t value) {
  const int leading = nr_leading_hex_zeros(value);
  std::memcpy(at, "0x", 2);
  return put_hex_16(at + 2, value << (4 * leading)) - leading;
}

inline char* put_text(char* at, const char* text, std::size_t size) {
  std::memcpy(at, text, size);
  return at + size;
}

// The value of a hexadecimal digit; -1: it is none.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

}  // namespace critpipe
