#include "json/parse/json_number.hpp"

#include <charconv>
#include <cmath>
#include <limits>

#include "json/parse/json_text.hpp"

namespace critpipe {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
}

// Digits with single underscores between them.
NumberFault parse_digits(std::string_view text, int base, std::uint64_t& out) {
  out = 0;
  bool too_large = false, after_digit = false;
  for (const char c : text) {
    if (c == '_' && after_digit) {
      after_digit = false;
      continue;
    }
    const int digit = digit_value(c);
    if (digit >= base) return NumberFault::not_a_number;
    after_digit = true;
    too_large |= __builtin_mul_overflow(out, static_cast<std::uint64_t>(base), &out);
    too_large |= __builtin_add_overflow(out, static_cast<std::uint64_t>(digit), &out);
  }
  if (!after_digit) return NumberFault::not_a_number;
  return too_large ? NumberFault::too_large : NumberFault::none;
}

NumberFault integer_of_double(double value, Integer& out) {
  constexpr double exact = 9007199254740992.0;  // 2^53
  if (std::abs(value) > exact) return NumberFault::rounded;
  if (std::trunc(value) != value) return NumberFault::fraction;
  out = {static_cast<std::uint64_t>(std::abs(value)), value < 0};
  return NumberFault::none;
}

}  // namespace

bool is_json_number(std::string_view text, bool& is_float) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t before = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at > before;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const std::size_t first = at;
  if (!digits() || (text[first] == '0' && at - first > 1)) return false;
  is_float = false;
  if (at < text.size() && text[at] == '.') {
    is_float = true;
    ++at;
    if (!digits()) return false;
  }
  if (at < text.size() && (text[at] | 0x20) == 'e') {
    is_float = true;
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!digits()) return false;
  }
  return at == text.size();
}

NumberFault parse_json_integer(std::string_view token, Integer& out) {
  const std::string_view text = trim_json(token);
  bool is_float = false;
  if (!is_json_number(text, is_float)) return NumberFault::not_a_number;
  if (is_float) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return NumberFault::too_large;
    return integer_of_double(value, out);
  }
  const bool negative = text.front() == '-';
  const NumberFault fault = parse_digits(text.substr(negative ? 1 : 0), 10, out.magnitude);
  out.negative = negative && out.magnitude != 0;
  return fault;
}

NumberFault parse_literal(std::string_view text, Integer& out) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  out = {};
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 2 && text[0] == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
  }
  if (base != 10) {
    text.remove_prefix(2);
    if (text.front() == '_') text.remove_prefix(1);
  }
  const NumberFault fault = parse_digits(text, base, out.magnitude);
  if (fault == NumberFault::none && base == 10 && text.front() == '0' && out.magnitude != 0)
    return NumberFault::not_a_number;
  out.negative = negative && out.magnitude != 0;
  return fault;
}

std::optional<double> parse_double(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  bool is_float;
  double value = 0;
  if (!is_json_number(text, is_float)) return {};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return {};
  return value;
}

}  // namespace critpipe
