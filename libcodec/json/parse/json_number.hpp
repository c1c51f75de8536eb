// Integers in JSON: numbers of JSON, and what Python takes for int(text, 0).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace critpipe {

struct Integer {
  std::uint64_t magnitude = 0;
  bool negative = false;
};

enum class NumberFault : std::uint8_t { none, not_a_number, fraction, too_large, rounded };

// Is the text a number as JSON has them, and has it a fraction or an exponent?
bool is_json_number(std::string_view text, bool& is_float);

// A number token of JSON, with what follows it up to the next token. 1.0 and 1e3 are integers; floats above 2^53 are
// not, because they have been rounded.
NumberFault parse_json_integer(std::string_view token, Integer& out);

// "12", " +0x1f ", "0b1", "1_000"; nothing for "017", "5.0", "". False: too large, or not a number.
NumberFault parse_literal(std::string_view text, Integer& out);

// A JSON number, "NaN", "Infinity".
std::optional<double> parse_double(std::string_view text);

}  // namespace critpipe
