// Scanning pages with AVX2; compiled for it, called where it is there.
#if defined(__x86_64__)

#include <immintrin.h>
#define XXH_VECTOR XXH_AVX2
#include "survey/page_scan.hpp"

namespace critpipe {

namespace {

struct Avx2Lanes {
  static __m256i load(const unsigned char* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }

  static bool is_zero(const unsigned char* page) {
    for (size_t at = 0; at < page_bytes; at += 128) {
      const __m256i any = _mm256_or_si256(_mm256_or_si256(load(page + at), load(page + at + 32)),
                                          _mm256_or_si256(load(page + at + 64), load(page + at + 96)));
      if (!_mm256_testz_si256(any, any)) return false;
    }
    return true;
  }

  static uint32_t sum_bytes(__m256i bytes) { return sum_words(_mm256_sad_epu8(bytes, _mm256_setzero_si256())); }
  static uint32_t sum_words(__m256i words) {
    const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    return static_cast<uint32_t>(_mm_cvtsi128_si64(_mm_add_epi64(half, _mm_unpackhi_epi64(half, half))));
  }

  static Counts count(const unsigned char* page) {
    const __m256i nothing = _mm256_setzero_si256();
    __m256i zero = nothing, printable = nothing, high = nothing, rex = nothing, move = nothing, pointers = nothing;
    for (size_t line = 0; line < page_bytes; line += sampled_stride) {
      for (size_t at = line; at < line + 64; at += 32) {
        const __m256i bytes = load(page + at);
        zero = _mm256_sub_epi8(zero, _mm256_cmpeq_epi8(bytes, nothing));
        // Unsigned ranges: byte - first <= length, with max as the comparison.
        const __m256i print = _mm256_sub_epi8(bytes, _mm256_set1_epi8(0x20));
        const __m256i space = _mm256_sub_epi8(bytes, _mm256_set1_epi8('\t'));
        const __m256i is_print =
            _mm256_cmpeq_epi8(_mm256_max_epu8(print, _mm256_set1_epi8(0x5e)), _mm256_set1_epi8(0x5e));
        const __m256i is_space = _mm256_cmpeq_epi8(_mm256_max_epu8(space, _mm256_set1_epi8(4)), _mm256_set1_epi8(4));
        printable = _mm256_sub_epi8(printable, _mm256_or_si256(is_print, is_space));
        high = _mm256_sub_epi8(high, _mm256_cmpgt_epi8(nothing, bytes));
        rex = _mm256_sub_epi8(rex, _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x48)));
        move = _mm256_sub_epi8(move, _mm256_cmpeq_epi8(_mm256_or_si256(bytes, _mm256_set1_epi8(2)),
                                                       _mm256_set1_epi8(static_cast<char>(0x8b))));
        // 1 <= upper half <= 0xffff
        const __m256i upper = _mm256_sub_epi64(_mm256_srli_epi64(bytes, 32), _mm256_set1_epi64x(1));
        const __m256i beyond = _mm256_srli_epi64(_mm256_add_epi64(upper, _mm256_set1_epi64x(1)), 16);
        const __m256i none = _mm256_cmpeq_epi64(upper, _mm256_set1_epi64x(-1));
        pointers = _mm256_sub_epi64(pointers, _mm256_andnot_si256(none, _mm256_cmpeq_epi64(beyond, nothing)));
      }
    }
    return {sum_bytes(zero), sum_bytes(printable), sum_bytes(high),
            sum_bytes(rex),  sum_bytes(move),      sum_words(pointers)};
  }
};

}  // namespace

void scan_pages_avx2(const unsigned char* pages, size_t nr_pages, unsigned char* facts, const unsigned char* secret) {
  scan_with<Avx2Lanes>(pages, nr_pages, facts, secret);
}

}  // namespace critpipe

#endif
