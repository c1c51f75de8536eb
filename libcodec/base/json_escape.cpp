#include "base/json_escape.hpp"

#include <algorithm>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace critpipe {

namespace {

unsigned byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }
bool follows(std::string_view text, std::size_t i) { return i < text.size() && (byte_at(text, i) & 0xc0) == 0x80; }

// Bytes of the character at i, 0 where there is none.
std::size_t character_size(std::string_view text, std::size_t i) {
  const unsigned lead = byte_at(text, i);
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (!follows(text, i + 1)) return 0;
  if (lead < 0xe0) return 2;
  const unsigned second = byte_at(text, i + 1);
  if (lead < 0xf0) {
    const bool bad = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || !follows(text, i + 2);
    return bad ? 0 : 3;
  }
  const bool bad = lead > 0xf4 || (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f) ||
                   !follows(text, i + 2) || !follows(text, i + 3);
  return bad ? 0 : 4;
}

char* put_u(char* at, unsigned unit) {
  std::memcpy(at, "\\u", 2);
  for (int i = 0; i < 4; ++i) at[2 + i] = "0123456789abcdef"[unit >> (12 - 4 * i) & 15];
  return at + 6;
}

char* put_ascii(char* at, unsigned byte) {
  switch (byte) {
    case '"': std::memcpy(at, "\\\"", 2); return at + 2;
    case '\\': std::memcpy(at, "\\\\", 2); return at + 2;
    case '\n': std::memcpy(at, "\\n", 2); return at + 2;
    case '\r': std::memcpy(at, "\\r", 2); return at + 2;
    case '\t': std::memcpy(at, "\\t", 2); return at + 2;
    case '\b': std::memcpy(at, "\\b", 2); return at + 2;
    case '\f': std::memcpy(at, "\\f", 2); return at + 2;
    default: break;
  }
  if (byte < 0x20 || byte == 0x7f) return put_u(at, byte);
  *at = static_cast<char>(byte);
  return at + 1;
}

char* put_character(char* at, std::string_view text, std::size_t i, std::size_t size) {
  unsigned code = byte_at(text, i) & (0xffu >> (size + 1));
  for (std::size_t k = 1; k < size; ++k) code = code << 6 | (byte_at(text, i + k) & 0x3f);
  if (code < 0x10000) return put_u(at, code);
  code -= 0x10000;
  return put_u(put_u(at, 0xd800 + (code >> 10)), 0xdc00 + (code & 0x3ff));
}

// Bytes at the front that stand for themselves; may write up to 16 bytes past them.
std::size_t copy_plain(char* at, std::string_view text, std::size_t i) {
  const std::size_t start = i;
#if defined(__SSE2__)
  // The last block may overlap the one before it.
  while (i < text.size() && text.size() - start >= 16) {
    const std::size_t from = std::min(i, text.size() - 16);
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at + (from - start)), block);
    // Signed comparison: bytes from 0x80 up count as below 0x20.
    const __m128i low = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
    const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    const __m128i slash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    const __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
    const int mask = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, quote), _mm_or_si128(slash, del)));
    if (mask != 0) return from - start + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(mask)));
    i = from + 16;
  }
#endif
  for (; i < text.size(); ++i) {
    const unsigned byte = byte_at(text, i);
    if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\') break;
    at[i - start] = text[i];
  }
  return i - start;
}

}  // namespace

std::size_t utf8_prefix(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    if (i + 8 <= text.size()) {
      std::uint64_t word;
      std::memcpy(&word, text.data() + i, 8);
      if ((word & 0x8080808080808080) == 0) {
        i += 8;
        continue;
      }
    }
    const std::size_t size = character_size(text, i);
    if (size == 0) return i;
    i += size;
  }
  return i;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) return add(point);
  if (point >= 0x10000) add(0xf0 | point >> 18), add(0x80 | (point >> 12 & 0x3f));
  else if (point >= 0x800) add(0xe0 | point >> 12);
  if (point >= 0x800) add(0x80 | (point >> 6 & 0x3f));
  else add(0xc0 | point >> 6);
  add(0x80 | (point & 0x3f));
}

bool is_utf8(std::string_view text) { return utf8_prefix(text) == text.size(); }

std::size_t whole_characters(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text.size();
  while (most > 0 && (byte_at(text, most) & 0xc0) == 0x80) --most;
  return most;
}

char* put_plain(char* at, std::string_view text) {
  return copy_plain(at, text, 0) == text.size() ? at + text.size() : nullptr;
}

char* put_escaped(char* at, std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t plain = copy_plain(at, text, i);
    at += plain;
    i += plain;
    if (i == text.size()) break;
    const std::size_t size = character_size(text, i);
    at = size == 1 ? put_ascii(at, byte_at(text, i)) : put_character(at, text, i, size);
    i += size;
  }
  return at;
}

}  // namespace critpipe
