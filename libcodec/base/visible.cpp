// Escapes for lines of text.
#include <algorithm>

#include "base/json_escape.hpp"
#include "critpipe/error.hpp"

namespace critpipe {

namespace {

void append_hex(std::string& out, std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

// Bytes of the first character; 0 if it is not UTF-8.
std::size_t first_character(std::string_view text) {
  for (std::size_t size = 1; size <= 4 && size <= text.size(); ++size)
    if (is_utf8(text.substr(0, size))) return size;
  return 0;
}

bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  const bool is_c1 = character.size() == 2 && first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
  return first < 0x20 || first == 0x7f || is_c1;
}

// Does it change the order in which a terminal shows characters, or the line that they are on? Names could so be made
// to look like others.
bool is_reordering(std::string_view character) {
  if (character == "\u061c" || character == "\u200e" || character == "\u200f") return true;
  return (character >= "\u2028" && character <= "\u202e") || (character >= "\u2066" && character <= "\u2069");
}

}  // namespace

std::string visible(std::string_view text, Escape escape) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size = first_character(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(size, 1));
    if (character == "\\" && escape != Escape::names) out += "\\\\";
    else if (character == "\n" && escape == Escape::text) out += "\\n";
    else if (character == "\t" && escape == Escape::text) out += "\\t";
    else if (size == 0 || is_control(character) || is_reordering(character) || (size > 1 && escape == Escape::bytes))
      append_hex(out, character);
    else out += character;
    text.remove_prefix(character.size());
  }
  return out;
}

}  // namespace critpipe
