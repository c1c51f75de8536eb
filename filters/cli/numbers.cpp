#include "cli/numbers.hpp"

#include <charconv>
#include <limits>

namespace critpipe::filters {

namespace {

// The power of two that a unit stands for; 0: it is none.
unsigned shift_of(char unit) {
  switch (unit) {
    case 'k':
    case 'K': return 10;
    case 'm':
    case 'M': return 20;
    case 'g':
    case 'G': return 30;
    case 't':
    case 'T': return 40;
    default: return 0;
  }
}

int take_base(std::string_view& text) {
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    return 16;
  }
  return text.starts_with('0') ? 8 : 10;
}

// Leaves `number` empty where `text` is.
bool parse_optional(std::string_view text, Numeral numeral, std::optional<std::uint64_t>& number) {
  if (!text.empty()) number = parse_number(text, numeral);
  return text.empty() || number;
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text, Numeral numeral) {
  const unsigned shift = numeral == Numeral::size && !text.empty() ? shift_of(text.back()) : 0;
  if (shift > 0) text.remove_suffix(1);
  const int base = numeral == Numeral::decimal ? 10 : take_base(text);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (number > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
  return number << shift;
}

std::optional<NumberPair> parse_pair(std::string_view text, Numeral first, Numeral second) {
  const std::size_t colon = text.find(':');
  NumberPair pair;
  pair.has_colon = colon != text.npos;
  if (!parse_optional(text.substr(0, colon), first, pair.first)) return std::nullopt;
  if (pair.has_colon && !parse_optional(text.substr(colon + 1), second, pair.second)) return std::nullopt;
  return pair;
}

}  // namespace critpipe::filters
