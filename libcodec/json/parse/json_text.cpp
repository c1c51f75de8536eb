#include "json/parse/json_text.hpp"

#include <algorithm>
#include <cstdint>

#include "base/decimal.hpp"
#include "base/json_escape.hpp"
#include "critpipe/base.hpp"

namespace critpipe {

namespace {

bool parse_hex4(std::string_view text, std::uint32_t& unit) {
  if (text.size() < 4) return false;
  unit = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = hex_digit(c);
    if (digit < 0) return false;
    unit = unit << 4 | static_cast<std::uint32_t>(digit);
  }
  return true;
}

// The escape at text[at], which is a backslash. Moves past it.
bool append_escape(std::string_view text, std::size_t& at, std::string& out) {
  if (at + 1 >= text.size()) return false;
  constexpr std::string_view letters = "\"\\/bfnrt", means = "\"\\/\b\f\n\r\t";
  const char letter = text[at + 1];
  if (letter != 'u') {
    const std::size_t found = letters.find(letter);
    if (found == letters.npos) return false;
    out += means[found];
    at += 2;
    return true;
  }
  std::uint32_t unit, low;
  if (!parse_hex4(text.substr(at + 2), unit)) return false;
  std::size_t size = 6;
  if (unit >= 0xd800 && unit < 0xe000) {
    const std::string_view rest = text.substr(at + 6);
    if (unit >= 0xdc00 || !rest.starts_with("\\u") || !parse_hex4(rest.substr(2), low)) return false;
    if (low < 0xdc00 || low >= 0xe000) return false;
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    size = 12;
  }
  append_utf8(out, unit);
  at += size;
  return true;
}

}  // namespace

bool append_unescaped(std::string_view inside, std::string& out, std::size_t& at) {
  at = 0;
  while (at < inside.size()) {
    const std::size_t begin = at;
    while (at < inside.size() && inside[at] != '\\' && static_cast<unsigned char>(inside[at]) >= 0x20) ++at;
    out.append(inside, begin, at - begin);
    if (at == inside.size()) break;
    if (inside[at] != '\\' || !append_escape(inside, at, out)) return false;
  }
  return true;
}

std::string quoted_for_error(std::string_view text) {
  constexpr std::size_t room = 60;
  std::size_t size = std::min(text.size(), room);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return '"' + std::string{text.substr(0, size)} + (size < text.size() ? "...\"" : "\"");
}

bool is_camel_case_of(std::string_view key, std::string_view field_name) {
  std::size_t at = 0;
  bool upper = false;
  for (const char c : field_name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    const char wanted = upper && c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c;
    if (at == key.size() || key[at++] != wanted) return false;
    upper = false;
  }
  return at == key.size();
}

void NearNames::offer(std::string_view name) {
  constexpr std::size_t longest = 64;
  if (wanted_.size() > longest || name.size() > longest) return;
  const std::size_t most = std::max<std::size_t>(1, std::min(wanted_.size(), name.size()) / 3);
  const std::size_t distance = edit_distance(wanted_, name, most);
  if (distance > most) return;
  std::size_t at = nr_names_ < room ? nr_names_++ : room;
  if (at == room && distance >= distances_[room - 1]) return;
  if (at == room) --at;
  for (; at > 0 && distances_[at - 1] > distance; --at) {
    names_[at] = names_[at - 1];
    distances_[at] = distances_[at - 1];
  }
  names_[at] = name;
  distances_[at] = distance;
}

std::string NearNames::sentence() const {
  if (nr_names_ == 0) return "";
  std::string out = "; did you mean ";
  std::size_t nr_near = 1;
  while (nr_near < nr_names_ && distances_[nr_near] <= distances_[0] + 1) ++nr_near;
  for (std::size_t i = 0; i < nr_near; ++i) {
    if (i != 0) out += i + 1 == nr_near ? " or " : ", ";
    out += quoted_for_error(names_[i]);
  }
  return out + "?";
}

}  // namespace critpipe
