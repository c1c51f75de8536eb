// Scanning pages with AVX-512; compiled for it, called where it is there.
#if defined(__x86_64__)

#include <immintrin.h>
#define XXH_VECTOR XXH_AVX512
#include "survey/page_scan.hpp"

namespace critpipe {

namespace {

struct Avx512Lanes {
  static __m512i load(const unsigned char* at) { return _mm512_loadu_si512(at); }

  static bool is_zero(const unsigned char* page) {
    for (size_t at = 0; at < page_bytes; at += 256) {
      const __m512i any = _mm512_or_si512(_mm512_or_si512(load(page + at), load(page + at + 64)),
                                          _mm512_or_si512(load(page + at + 128), load(page + at + 192)));
      if (_mm512_test_epi64_mask(any, any) != 0) return false;
    }
    return true;
  }

  static uint32_t ones(__mmask64 mask) { return static_cast<uint32_t>(__builtin_popcountll(mask)); }

  static Counts count(const unsigned char* page) {
    Counts counts = {0, 0, 0, 0, 0, 0};
    for (size_t line = 0; line < page_bytes; line += sampled_stride) {
      const __m512i bytes = load(page + line);
      const __m512i upper = _mm512_srli_epi64(bytes, 32);
      counts.zero += ones(_mm512_testn_epi8_mask(bytes, bytes));
      counts.printable +=
          ones(_mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8(0x20)), _mm512_set1_epi8(0x5f)) |
               _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8('\t')), _mm512_set1_epi8(5)));
      counts.high += ones(_mm512_movepi8_mask(bytes));
      counts.rex += ones(_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(0x48)));
      counts.move += ones(_mm512_cmpeq_epi8_mask(_mm512_or_si512(bytes, _mm512_set1_epi8(2)),
                                                 _mm512_set1_epi8(static_cast<char>(0x8b))));
      counts.pointers +=
          ones(_mm512_cmplt_epu64_mask(_mm512_sub_epi64(upper, _mm512_set1_epi64(1)), _mm512_set1_epi64(0xffff)));
    }
    return counts;
  }
};

}  // namespace

void scan_pages_avx512(const unsigned char* pages, size_t nr_pages, unsigned char* facts, const unsigned char* secret) {
  scan_with<Avx512Lanes>(pages, nr_pages, facts, secret);
}

}  // namespace critpipe

#endif
