#include "search/pattern_text.hpp"

#include "base/decimal.hpp"

namespace critpipe::search {

namespace {

void append_byte(std::string& regex, unsigned byte) {
  constexpr char digits[] = "0123456789abcdef";
  regex += "\\x";
  regex += digits[byte >> 4];
  regex += digits[byte & 15];
}

// "e?" is any of e0 to ef; "?e" any of 0e, 1e, ...
bool append_half_bytes(std::string& regex, char high, char low) {
  const int h = hex_digit(high), l = hex_digit(low);
  if ((h < 0 && high != '?') || (l < 0 && low != '?')) return false;
  if (h < 0 && l < 0) {
    regex += "(?s:.)";
  } else if (h >= 0 && l >= 0) {
    append_byte(regex, static_cast<unsigned>(h << 4 | l));
  } else {
    regex += '[';
    for (int k = 0; k < 16; ++k) append_byte(regex, static_cast<unsigned>(h < 0 ? k << 4 | l : h << 4 | k));
    regex += ']';
  }
  return true;
}

Error hexbytes_to_regex(const PatternText& pattern, std::string& regex) {
  char high = 0;
  for (const char c : pattern.text) {
    if (c == ' ' || c == '\t') {
      if (high) return refuse(pattern, "half a byte stands alone: bytes have two digits");
      continue;
    }
    if (!high) {
      high = c;
      continue;
    }
    if (!append_half_bytes(regex, high, c)) return refuse(pattern, "bytes are two hex digits or ??, as de ad ?? ef");
    high = 0;
  }
  if (high) return refuse(pattern, "half a byte stands alone: bytes have two digits");
  return regex.empty() ? refuse(pattern, "it is empty") : Error{};
}

// One character of UTF-8 as UTF-16. False: no UTF-8.
bool append_utf16(std::string_view& text, std::string& out) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned lead = at(0);
  const std::size_t size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (size == 0 || lead > 0xf4) return false;
  unsigned code = size == 1 ? lead : lead & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return false;
    code = code << 6 | (at(i) & 0x3f);
  }
  text.remove_prefix(size);
  const auto unit = [&](unsigned value) {
    out += static_cast<char>(value & 0xff);
    out += static_cast<char>(value >> 8);
  };
  if (code >= 0x10000) {
    unit(0xd800 + ((code - 0x10000) >> 10));
    code = 0xdc00 + ((code - 0x10000) & 0x3ff);
  }
  unit(code);
  return true;
}

// What one atom of a regular expression takes up: an escape, a class, or a character.
std::size_t atom_size(std::string_view regex) {
  if (regex[0] == '\\') {
    if (regex.size() > 3 && regex[1] == 'x' && regex[2] != '{') return 4;
    if (regex.size() > 2 && regex[1] == 'x') return regex.find('}') + 1;
    return std::min<std::size_t>(regex.size(), 2);
  }
  if (regex[0] != '[') return 1;
  std::size_t at = 1;
  if (at < regex.size() && regex[at] == '^') ++at;
  if (at < regex.size() && regex[at] == ']') ++at;
  while (at < regex.size() && regex[at] != ']')
    at += regex[at] == '\\' ? 2 : regex.compare(at, 2, "[:") == 0 ? regex.find(":]", at) - at + 2 : 1;
  return std::min(regex.size(), at + 1);
}

// Each atom with a zero byte behind it; for the characters of Latin-1 that is UTF-16.
Error widen(const PatternText& pattern, std::string& regex) {
  for (std::string_view rest = pattern.text; !rest.empty();) {
    const char c = rest[0];
    const bool escape = c == '\\' && rest.size() > 1;
    if (std::string_view{"()|*+?^$"}.find(c) != rest.npos) {
      // (?i) and the like go as they stand.
      const std::size_t size = c == '(' && rest.size() > 1 && rest[1] == '?' ? rest.find_first_of(":)") + 1 : 1;
      regex += rest.substr(0, size);
      rest.remove_prefix(size == 0 ? rest.size() : size);
    } else if (c == '{' && rest.find('}') != rest.npos) {
      regex += rest.substr(0, rest.find('}') + 1);
      rest.remove_prefix(rest.find('}') + 1);
    } else if (escape && std::string_view{"bBAzZ"}.find(rest[1]) != rest.npos) {
      return refuse(pattern, std::string{"\\"} + rest[1] + " does not work on UTF-16");
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      std::string units;
      if (!append_utf16(rest, units)) return refuse(pattern, "it is no UTF-8");
      regex += "(?:";
      for (const char unit : units) append_byte(regex, static_cast<unsigned char>(unit));
      regex += ')';
    } else {
      const std::size_t size = std::min(rest.size(), std::max<std::size_t>(1, atom_size(rest)));
      regex += "(?:" + std::string{rest.substr(0, size)} + "\\x00)";
      rest.remove_prefix(size);
    }
  }
  return {};
}

}  // namespace

Error refuse(const PatternText& pattern, std::string why) {
  Error error{Reason::bad_pattern};
  error.image = pattern.text.size() <= 60 ? pattern.text : pattern.text.substr(0, 57) + "...";
  error.name = std::move(why);
  return error;
}

Error to_bytes(const PatternText& pattern, std::string& bytes) {
  if (!pattern.utf16) {
    bytes = pattern.text;
    return {};
  }
  for (std::string_view rest = pattern.text; !rest.empty();)
    if (!append_utf16(rest, bytes)) return refuse(pattern, "it is no UTF-8");
  return {};
}

Error to_regex(const PatternText& pattern, std::string& regex) {
  switch (pattern.syntax) {
    case PatternText::Syntax::hexbytes: return hexbytes_to_regex(pattern, regex);
    case PatternText::Syntax::literal: {
      std::string bytes;
      if (Error error = to_bytes(pattern, bytes)) return error;
      for (const char byte : bytes) append_byte(regex, static_cast<unsigned char>(byte));
      return {};
    }
    case PatternText::Syntax::regex: break;
  }
  if (pattern.text.find('\0') != pattern.text.npos) return refuse(pattern, "write \\x00 for a zero byte");
  if (pattern.utf16) return widen(pattern, regex);
  regex = pattern.text;
  return {};
}

Traits traits_of(std::string_view regex) {
  Traits traits;
  for (std::size_t at = 0; at < regex.size();) {
    const std::size_t size = std::max<std::size_t>(1, atom_size(regex.substr(at)));
    const std::string_view atom = regex.substr(at, size);
    if (atom == "^" || (atom.size() == 2 && atom[0] == '\\' && std::string_view{"bBAG"}.find(atom[1]) != atom.npos))
      traits.sees_neighbours = true;
    if (atom == "$" || atom == "\\z" || atom == "\\Z") traits.sees_end = true;
    const char next = at + size < regex.size() ? regex[at + size] : '\0';
    if (next == '?' && (atom == "*" || atom == "+" || atom == "?" || atom == "}")) traits.lazy = true;
    at += size;
  }
  return traits;
}

}  // namespace critpipe::search
