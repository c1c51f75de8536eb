// Base64 with AVX2 (Mula and Lemire's shuffles) and with AVX-512 VBMI (their table look-ups). Vectors at the end of a
// line overlap the one before, so that nothing outside of the line is read.
#include "base/base64_lines.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#include <array>
#include <cstdint>

// GCC 12 warns about its own _mm512_undefined_epi32 (bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace critpipe {

extern const Base64Loops base64_avx2;
extern const Base64Loops base64_avx512;

namespace {

#define CRITPIPE_AVX2 __attribute__((target("avx2"), always_inline)) inline
#define CRITPIPE_AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline)) inline

// 24 bytes -> 32 characters.
CRITPIPE_AVX2 __m256i encode_24(const std::byte* in) {
  const auto* at = reinterpret_cast<const __m128i*>(in);
  const auto* late = reinterpret_cast<const __m128i*>(in + 8);
  const __m256i bytes = _mm256_shuffle_epi8(
      _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(at)), _mm_loadu_si128(late), 1),
      _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, 5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14,
                       13, 15, 14));
  const __m256i high =
      _mm256_mulhi_epu16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
  const __m256i low =
      _mm256_mullo_epi16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
  const __m256i values = _mm256_or_si256(high, low);
  const __m256i below_26 = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), values);
  const __m256i range =
      _mm256_or_si256(_mm256_subs_epu8(values, _mm256_set1_epi8(51)), _mm256_and_si256(below_26, _mm256_set1_epi8(13)));
  const __m256i shifts =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0));
  return _mm256_add_epi8(_mm256_shuffle_epi8(shifts, range), values);
}

__attribute__((target("avx2"))) char* encode_avx2(const std::byte* in, std::size_t nr_lines, char* out) {
  for (; nr_lines != 0; --nr_lines, in += 57, out += 78) {
    const __m256i a = encode_24(in), b = encode_24(in + 24), c = encode_24(in + 33);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), a);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 32), b);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 44), c);
    out[76] = '\\';
    out[77] = 'n';
  }
  return out;
}

// 32 characters -> 24 bytes, and 8 bytes of nothing; false: one is outside the alphabet.
CRITPIPE_AVX2 bool decode_32(const char* in, std::byte* out) {
  const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in));
  const __m256i slash = _mm256_set1_epi8(0x2f);
  const __m256i high = _mm256_and_si256(_mm256_srli_epi32(text, 4), slash);
  const __m256i low = _mm256_and_si256(text, slash);
  const __m256i wrong_low =
      _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                                                    0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a)),
                          low);
  const __m256i wrong_high =
      _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08,
                                                                    0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10)),
                          high);
  if (!_mm256_testz_si256(wrong_low, wrong_high)) return false;
  const __m256i shifts =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i values =
      _mm256_add_epi8(text, _mm256_shuffle_epi8(shifts, _mm256_add_epi8(_mm256_cmpeq_epi8(text, slash), high)));
  const __m256i words =
      _mm256_madd_epi16(_mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140)), _mm256_set1_epi32(0x00011000));
  const __m256i bytes = _mm256_shuffle_epi8(
      words, _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1)));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                      _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7)));
  return true;
}

__attribute__((target("avx2"))) Base64Loops::Progress decode_avx2(const char* in, const char* end, bool json,
                                                                  std::byte* out) {
  for (;;) {
    while (end - in >= base64_line_room(json) && base64_line_ends(in + 76, json)) {
      if (!decode_32(in, out) || !decode_32(in + 32, out + 24) || !decode_32(in + 44, out + 33)) break;
      in += base64_line_room(json);
      out += 57;
    }
    if (end - in < 32 || !decode_32(in, out)) return {in, out};
    in += 32;
    out += 24;
  }
}

// 48 bytes -> 64 characters.
CRITPIPE_AVX512 __m512i encode_48(const std::byte* in, __m512i order, __m512i alphabet) {
  const __m512i bytes = _mm512_permutexvar_epi8(order, _mm512_maskz_loadu_epi8(0xffffffffffff, in));
  const __m512i values = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x3036242a1016040a), bytes);
  return _mm512_permutexvar_epi8(values, alphabet);
}

constexpr auto encode_order = [] {
  std::array<std::uint8_t, 64> order{};
  constexpr std::uint8_t in_group[4] = {1, 0, 2, 1};
  for (std::size_t i = 0; i < 64; ++i) order[i] = static_cast<std::uint8_t>(i / 4 * 3 + in_group[i % 4]);
  return order;
}();

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) char* encode_avx512(const std::byte* in, std::size_t nr_lines,
                                                                           char* out) {
  const __m512i order = _mm512_loadu_si512(encode_order.data());
  const __m512i alphabet = _mm512_loadu_si512(base64_alphabet);
  for (; nr_lines != 0; --nr_lines, in += 57, out += 78) {
    _mm512_storeu_si512(out, encode_48(in, order, alphabet));
    _mm512_storeu_si512(out + 12, encode_48(in + 9, order, alphabet));
    out[76] = '\\';
    out[77] = 'n';
  }
  return out;
}

constexpr auto decode_order = [] {
  std::array<std::uint8_t, 64> order{};
  for (std::size_t i = 0; i < 48; ++i) order[i] = static_cast<std::uint8_t>(i / 3 * 4 + 2 - i % 3);
  return order;
}();

// 64 characters -> 48 bytes, and 16 bytes of nothing; false: one is outside the alphabet.
CRITPIPE_AVX512 bool decode_64(const char* in, std::byte* out, __m512i order, __m512i first, __m512i second) {
  const __m512i text = _mm512_loadu_si512(in);
  const __m512i values = _mm512_permutex2var_epi8(first, text, second);
  if (_mm512_movepi8_mask(_mm512_or_si512(values, text)) != 0) return false;
  const __m512i words =
      _mm512_madd_epi16(_mm512_maddubs_epi16(values, _mm512_set1_epi32(0x01400140)), _mm512_set1_epi32(0x00011000));
  _mm512_storeu_si512(out, _mm512_permutexvar_epi8(order, words));
  return true;
}

__attribute__((target("avx512f,avx512bw,avx512vbmi"))) Base64Loops::Progress decode_avx512(const char* in,
                                                                                           const char* end, bool json,
                                                                                           std::byte* out) {
  const __m512i order = _mm512_loadu_si512(decode_order.data());
  const __m512i first = _mm512_loadu_si512(base64_values), second = _mm512_loadu_si512(base64_values + 64);
  for (;;) {
    while (end - in >= base64_line_room(json) && base64_line_ends(in + 76, json)) {
      if (!decode_64(in, out, order, first, second) || !decode_64(in + 12, out + 9, order, first, second)) break;
      in += base64_line_room(json);
      out += 57;
    }
    if (end - in < 64 || !decode_64(in, out, order, first, second)) return {in, out};
    in += 64;
    out += 48;
  }
}

}  // namespace

const Base64Loops base64_avx2{"avx2", encode_avx2, decode_avx2};
const Base64Loops base64_avx512{"avx512vbmi", encode_avx512, decode_avx512};

}  // namespace critpipe

#endif
