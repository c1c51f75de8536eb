#include "base/ip_address.hpp"

#include <bit>
#include <cstring>

namespace critpipe {

namespace {

char* write_number(char* out, unsigned number) {
  if (number >= 100) *out++ = static_cast<char>('0' + number / 100);
  if (number >= 10) *out++ = static_cast<char>('0' + number / 10 % 10);
  *out++ = static_cast<char>('0' + number % 10);
  return out;
}

char* write_group(char* out, unsigned group) {
  for (int shift = 12; shift >= 0; shift -= 4)
    if (shift == 0 || group >> shift != 0) *out++ = "0123456789abcdef"[group >> shift & 15];
  return out;
}

std::optional<unsigned> parse_octet(std::string_view text) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return {};
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > 255) return {};
  return value;
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  std::uint32_t word = 0;
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = text.find('.');
    if ((dot == text.npos) != (part == 3)) return {};
    const auto octet = parse_octet(text.substr(0, dot));
    if (!octet) return {};
    word |= *octet << 8 * part;
    if (part < 3) text.remove_prefix(dot + 1);
  }
  return word;
}

std::optional<unsigned> parse_group(std::string_view text) {
  if (text.empty() || text.size() > 4) return {};
  unsigned value = 0;
  for (const char c : text) {
    const char low = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') value = value << 4 | static_cast<unsigned>(c - '0');
    else if (low >= 'a' && low <= 'f') value = value << 4 | static_cast<unsigned>(low - 'a' + 10);
    else return {};
  }
  return value;
}

// Groups between colons, at most `room`, the last of them perhaps as dotted quad. Returns how many, or -1.
int parse_groups(std::string_view text, unsigned* groups, int room) {
  if (text.empty()) return 0;
  int nr_groups = 0;
  for (bool more = true; more;) {
    const std::size_t colon = text.find(':');
    more = colon != text.npos;
    const std::string_view part = text.substr(0, colon);
    if (!more && part.find('.') != part.npos) {
      const auto word = parse_ipv4(part);
      if (!word || nr_groups + 2 > room) return -1;
      groups[nr_groups++] = (*word & 0xff) << 8 | (*word >> 8 & 0xff);
      groups[nr_groups++] = (*word >> 16 & 0xff) << 8 | *word >> 24;
      return nr_groups;
    }
    const auto group = parse_group(part);
    if (!group || nr_groups == room) return -1;
    groups[nr_groups++] = *group;
    text.remove_prefix(more ? colon + 1 : text.size());
  }
  return nr_groups;
}

std::optional<Address> parse_ipv6(std::string_view text) {
  unsigned groups[8] = {};
  const std::size_t gap = text.find("::");
  if (gap == text.npos) {
    if (parse_groups(text, groups, 8) != 8) return {};
  } else {
    unsigned before[8], after[8];
    const int nr_before =
        text.substr(0, gap).find('.') == text.npos ? parse_groups(text.substr(0, gap), before, 7) : -1;
    const int nr_after = parse_groups(text.substr(gap + 2), after, 7);
    if (nr_before < 0 || nr_after < 0 || nr_before + nr_after > 7) return {};
    for (int i = 0; i < nr_before; ++i) groups[i] = before[i];
    for (int i = 0; i < nr_after; ++i) groups[8 - nr_after + i] = after[i];
  }
  Address address{4, {}};
  for (int i = 0; i < 8; ++i) {
    const unsigned swapped = (groups[i] & 0xff) << 8 | groups[i] >> 8;
    address.words[i / 2] |= swapped << 16 * (i % 2);
  }
  return address;
}

}  // namespace

char* write_ipv4(char* out, std::uint32_t word) {
  for (int part = 0; part < 4; ++part) {
    if (part != 0) *out++ = '.';
    out = write_number(out, word >> 8 * part & 0xff);
  }
  return out;
}

char* write_ipv6(char* out, const std::uint32_t (&words)[4]) {
  if (words[0] == 0 && words[1] == 0 && words[2] == 0xffff0000) {
    std::memcpy(out, "::ffff:", 7);
    return write_ipv4(out + 7, words[3]);
  }
  unsigned groups[8];
  for (int i = 0; i < 8; ++i) {
    const unsigned half = words[i / 2] >> 16 * (i % 2) & 0xffff;
    groups[i] = (half & 0xff) << 8 | half >> 8;
  }
  int gap = -1, gap_size = 1;
  for (int i = 0; i < 8;) {
    int end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > gap_size) {
      gap = i;
      gap_size = end - i;
    }
    i = end + 1;
  }
  for (int i = 0; i < 8;) {
    if (i == gap) {
      *out++ = ':';
      *out++ = ':';
      i += gap_size;
      continue;
    }
    if (i != 0 && i != gap + gap_size) *out++ = ':';
    else if (i != 0 && gap < 0) *out++ = ':';
    out = write_group(out, groups[i++]);
  }
  return out;
}

std::optional<Address> parse_address(std::string_view text) {
  if (text.find(':') == text.npos) {
    const auto word = parse_ipv4(text);
    if (!word) return {};
    return Address{1, {*word, 0, 0, 0}};
  }
  const std::size_t percent = text.find('%');
  if (percent != text.npos) {
    const std::string_view zone = text.substr(percent + 1);
    if (zone.empty() || zone.find('%') != zone.npos) return {};
    text = text.substr(0, percent);
  }
  return parse_ipv6(text);
}

}  // namespace critpipe
