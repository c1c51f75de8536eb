// Numbers on a command line. A sign, a blank, a letter behind them or an overflow makes them none.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace critpipe::filters {

enum class Numeral : std::uint8_t {
  decimal,   // 010 is ten
  any_base,  // 0x10 is sixteen, 010 is eight
  size,      // as any_base, with K, M, G or T behind it: 4K is 4096
};

std::optional<std::uint64_t> parse_number(std::string_view text, Numeral numeral);

// Two numbers around a colon. Either may be left out, and the colon with the second: "A:B", "A:", ":B", "A", "".
struct NumberPair {
  std::optional<std::uint64_t> first, second;
  bool has_colon = false;
};
// nullopt: it is anything else.
std::optional<NumberPair> parse_pair(std::string_view text, Numeral first, Numeral second);

}  // namespace critpipe::filters
