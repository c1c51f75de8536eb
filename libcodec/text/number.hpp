// Numbers as text, as fast as the machine does it. Each writes at `at` and returns the place after.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

namespace critpipe {

constexpr std::size_t max_number_text = 24;   // "-9223372036854775808", "18446744073709551615", and room to overwrite

namespace detail {

struct DigitPairs {
  char text[200];
  constexpr DigitPairs() : text{} {
    for (int i = 0; i < 100; ++i) {
      text[2 * i] = static_cast<char>('0' + i / 10);
      text[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
  }
};
inline constexpr DigitPairs digit_pairs;

inline void put_pair(char* at, std::uint32_t below_100) { std::memcpy(at, digit_pairs.text + 2 * below_100, 2); }

inline void put_4(char* at, std::uint32_t below_10000) {
  put_pair(at, below_10000 / 100);
  put_pair(at + 2, below_10000 % 100);
}

inline void put_8(char* at, std::uint32_t below_100000000) {
  put_4(at, below_100000000 / 10000);
  put_4(at + 4, below_100000000 % 10000);
}

inline char* put_below_10000(char* at, std::uint32_t value) {
  if (value < 100) {
    if (value < 10) {
      *at = static_cast<char>('0' + value);
      return at + 1;
    }
    put_pair(at, value);
    return at + 2;
  }
  if (value < 1000) {
    *at = static_cast<char>('0' + value / 100);
    put_pair(at + 1, value % 100);
    return at + 3;
  }
  put_4(at, value);
  return at + 4;
}

inline char* put_below_100000000(char* at, std::uint32_t value) {
  if (value < 10000) return put_below_10000(at, value);
  at = put_below_10000(at, value / 10000);
  put_4(at, value % 10000);
  return at + 4;
}

}  // namespace detail

// Requires: max_number_text bytes of room.
inline char* put_decimal(char* at, std::uint64_t value) {
  constexpr std::uint64_t e8 = 100000000;
  if (value < e8) return detail::put_below_100000000(at, static_cast<std::uint32_t>(value));
  const std::uint64_t high = value / e8;
  if (high < e8) {
    at = detail::put_below_100000000(at, static_cast<std::uint32_t>(high));
  } else {
    at = detail::put_below_10000(at, static_cast<std::uint32_t>(high / e8));
    detail::put_8(at, static_cast<std::uint32_t>(high % e8));
    at += 8;
  }
  detail::put_8(at, static_cast<std::uint32_t>(value % e8));
  return at + 8;
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
