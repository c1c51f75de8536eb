#include "json/parse/value_scanner.hpp"

#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace critpipe {

namespace {

#define CRITPIPE_INLINE __attribute__((always_inline)) inline

// One bit a character.
struct Masks {
  std::uint64_t quote = 0;
  std::uint64_t backslash = 0;
  std::uint64_t open = 0;
  std::uint64_t close = 0;
};

#if defined(__SSE2__)

CRITPIPE_INLINE std::uint64_t bits_of(__m128i found, int at) {
  return std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(found))} << at;
}

CRITPIPE_INLINE Masks masks_of(const char* block) {
  Masks masks;
  for (int at = 0; at < 64; at += 16) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + at));
    const __m128i lower = _mm_or_si128(text, _mm_set1_epi8(0x20));  // [ is { and ] is } without that bit
    masks.quote |= bits_of(_mm_cmpeq_epi8(text, _mm_set1_epi8('"')), at);
    masks.backslash |= bits_of(_mm_cmpeq_epi8(text, _mm_set1_epi8('\\')), at);
    masks.open |= bits_of(_mm_cmpeq_epi8(lower, _mm_set1_epi8('{')), at);
    masks.close |= bits_of(_mm_cmpeq_epi8(lower, _mm_set1_epi8('}')), at);
  }
  return masks;
}

#else

CRITPIPE_INLINE Masks masks_of(const char* block) {
  Masks masks;
  for (int at = 0; at < 64; ++at) {
    const std::uint64_t bit = std::uint64_t{1} << at;
    const char lower = static_cast<char>(block[at] | 0x20);
    if (block[at] == '"') masks.quote |= bit;
    if (block[at] == '\\') masks.backslash |= bit;
    if (lower == '{') masks.open |= bit;
    if (lower == '}') masks.close |= bit;
  }
  return masks;
}

#endif

CRITPIPE_INLINE std::uint64_t prefix_xor(std::uint64_t bits) {
  for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

}  // namespace

struct ScanLoop {
  // Characters that follow an odd backslash, among the first n; sets whether character n does.
  CRITPIPE_INLINE static std::uint64_t escaped(std::uint64_t backslash, int n, std::uint64_t& carry) {
    std::uint64_t found = carry;
    backslash &= ~carry;
    carry = 0;
    while (backslash != 0) {
      const int at = std::countr_zero(backslash);
      if (at + 1 == n) {
        carry = 1;
        break;
      }
      const std::uint64_t next = std::uint64_t{2} << at;
      found |= next;
      backslash &= ~next & (backslash - 1);
    }
    return found;
  }

  // Where the depth falls to 0 in a block; 64 if it does not.
  CRITPIPE_INLINE static bool walk(ValueScanner& cutter, std::uint64_t open, std::uint64_t close, const char* block,
                                   ValueScanner::Until until, ValueScanner::Cut& cut) {
    for (std::uint64_t both = open | close; both != 0; both &= both - 1) {
      const int at = std::countr_zero(both);
      if (open >> at & 1) {
        ++cutter.depth_;
        continue;
      }
      if (cutter.depth_ == 0) {
        cut.at = block + at;
        cut.closed = true;
        return true;
      }
      if (--cutter.depth_ != 0) continue;
      cut.value_end = block + at + 1;
      if (until == ValueScanner::Until::last) continue;
      cut.at = cut.value_end;
      return true;
    }
    return false;
  }

  CRITPIPE_INLINE static ValueScanner::Cut scan(ValueScanner& cutter, const char* at, const char* end,
                                                ValueScanner::Until until) {
    ValueScanner::Cut cut{end, nullptr, false};
    for (; at < end; at += 64) {
      const int n = end - at < 64 ? static_cast<int>(end - at) : 64;
      const std::uint64_t valid = n == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
      Masks masks = masks_of(at);
      const std::uint64_t quote = masks.quote & valid & ~escaped(masks.backslash & valid, n, cutter.escaped_);
      const std::uint64_t string = prefix_xor(quote) ^ cutter.in_string_;
      cutter.in_string_ = std::uint64_t{0} - (string >> (n - 1) & 1);
      const std::uint64_t open = masks.open & ~string & valid, close = masks.close & ~string & valid;
      if (walk(cutter, open, close, at, until, cut)) break;
    }
    return cut;
  }
};

ValueScanner::Cut ValueScanner::scan(const char* at, const char* end, Until until) {
  return ScanLoop::scan(*this, at, end, until);
}

const char* find_string_end(const char* at, const char* end) {
  while (at != end) {
    const auto* quote = static_cast<const char*>(std::memchr(at, '"', static_cast<std::size_t>(end - at)));
    if (!quote) return nullptr;
    const char* before = quote;
    while (before != at && before[-1] == '\\') --before;
    if ((quote - before) % 2 == 0) return quote + 1;
    at = quote + 1;
  }
  return nullptr;
}

}  // namespace critpipe
