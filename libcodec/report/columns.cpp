// How wide a terminal shows a text.
#include <algorithm>
#include <iterator>

#include "critpipe/report.hpp"

namespace critpipe {

namespace {

struct Range {
  std::uint32_t first, last;
};

// W and F in Unicode 14's EastAsianWidth; ranges go over what is not assigned.
constexpr Range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},   {0x23f0, 0x23f0},
    {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x267f, 0x267f},
    {0x2693, 0x2693},   {0x26a1, 0x26a1},   {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
    {0x26ce, 0x26ce},   {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
    {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},
    {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},   {0x2757, 0x2757},   {0x2795, 0x2797},
    {0x27b0, 0x27b0},   {0x27bf, 0x27bf},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},
    {0x2e80, 0x3029},   {0x302e, 0x303e},   {0x3041, 0x3096},   {0x309b, 0x3247},   {0x3250, 0x4dbf},
    {0x4e00, 0xa4c6},   {0xa960, 0xa97c},   {0xac00, 0xd7a3},   {0xf900, 0xfad9},   {0xfe10, 0xfe19},
    {0xfe30, 0xfe6b},   {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x16fe3}, {0x16ff0, 0x1b2fb},
    {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320},
    {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3},
    {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc},
    {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596},
    {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2},
    {0x1f6d5, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7f0}, {0x1f90c, 0x1f93a},
    {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faf6}, {0x20000, 0x3134a}};

// Marks and joiners that go with any script.
constexpr Range without_width[] = {{0x300, 0x36f},   {0x1160, 0x11ff}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
                                   {0x200b, 0x200d}, {0x2060, 0x2060}, {0x20d0, 0x20ff}, {0x302a, 0x302d},
                                   {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};

bool is_among(std::uint32_t point, std::span<const Range> ranges) {
  const auto range = std::ranges::lower_bound(ranges, point, {}, &Range::last);
  return range != ranges.end() && range->first <= point;
}

std::size_t width_of(std::uint32_t point) {
  return point < without_width[0].first ? 1 : is_among(point, without_width) ? 0 : is_among(point, wide) ? 2 : 1;
}

bool continues(char c) { return (c & 0xc0) == 0x80; }

struct Character {
  std::size_t end;    // behind it
  std::size_t width;  // in columns
};

Character character_at(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  std::size_t end = at + 1;
  while (end < text.size() && continues(text[end])) ++end;
  if (lead < 0x80) return {at + 1, 1};
  std::uint32_t point = lead & (0x7fu >> std::min<std::size_t>(end - at, 7));
  for (std::size_t i = at + 1; i < end; ++i) point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  return {end, width_of(point)};
}

}  // namespace

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = character_at(text, at);
    width += character.width;
    at = character.end;
  }
  return width;
}

std::string_view begin_within(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Character character = character_at(text, at);
    if (character.width > columns) break;
    columns -= character.width;
    at = character.end;
  }
  return text.substr(0, at);
}

std::string_view end_within(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  for (std::size_t width = width_of(text); width > columns;) {
    const Character character = character_at(text, at);
    width -= character.width;
    at = character.end;
  }
  return text.substr(at);
}

}  // namespace critpipe
