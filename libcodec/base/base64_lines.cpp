#include "base/base64_lines.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

namespace critpipe {

#if defined(__x86_64__)
extern const Base64Loops base64_avx2;
extern const Base64Loops base64_avx512;
#endif

const char base64_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const unsigned char base64_values[256] = {
#define NO4 0x80, 0x80, 0x80, 0x80
#define NO16 NO4, NO4, NO4, NO4
    NO16, NO16, NO4,  NO4,  0x80, 0x80, 0x80, 62,   0x80, 0x80, 0x80, 63,   52,   53,   54,   55,   56,   57,   58, 59,
    60,   61,   0x80, 0x80, NO4,  0x80, 0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12, 13,
    14,   15,   16,   17,   18,   19,   20,   21,   22,   23,   24,   25,   0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 26, 27,
    28,   29,   30,   31,   32,   33,   34,   35,   36,   37,   38,   39,   40,   41,   42,   43,   44,   45,   46, 47,
    48,   49,   50,   51,   0x80, 0x80, 0x80, 0x80, 0x80, NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16
#undef NO16
#undef NO4
};

namespace {

// Two characters for each twelve bits.
constexpr std::size_t nr_pairs = 4096;

const std::array<char, 2 * nr_pairs>& pairs() {
  static const auto table = [] {
    std::array<char, 2 * nr_pairs> made{};
    for (std::size_t bits = 0; bits < nr_pairs; ++bits) {
      made[2 * bits] = base64_alphabet[bits >> 6];
      made[2 * bits + 1] = base64_alphabet[bits & 63];
    }
    return made;
  }();
  return table;
}

char* encode(const std::byte* in, std::size_t nr_lines, char* out) {
  const char* table = pairs().data();
  for (; nr_lines != 0; --nr_lines) {
    for (int group = 0; group < 19; ++group, in += 3, out += 4) {
      const unsigned bits = std::to_integer<unsigned>(in[0]) << 16 | std::to_integer<unsigned>(in[1]) << 8 |
                            std::to_integer<unsigned>(in[2]);
      std::memcpy(out, table + 2 * (bits >> 12), 2);
      std::memcpy(out + 2, table + 2 * (bits & 0xfff), 2);
    }
    *out++ = '\\';
    *out++ = 'n';
  }
  return out;
}

bool decode_group(const char* in, std::byte* out) {
  const auto value = [&](int at) { return unsigned{base64_values[static_cast<unsigned char>(in[at])]}; };
  const unsigned a = value(0), b = value(1), c = value(2), d = value(3);
  if ((a | b | c | d) & 0x80) return false;
  const unsigned bits = a << 18 | b << 12 | c << 6 | d;
  out[0] = static_cast<std::byte>(bits >> 16);
  out[1] = static_cast<std::byte>(bits >> 8);
  out[2] = static_cast<std::byte>(bits);
  return true;
}

Base64Loops::Progress decode(const char* in, const char* end, bool json, std::byte* out) {
  int groups = 0;
  while (end - in >= 4 && decode_group(in, out)) {
    in += 4;
    out += 3;
    if (++groups % 19 == 0 && end - in >= 2 && base64_line_ends(in, json)) in += json ? 2 : 1;
  }
  return {in, out};
}

}  // namespace

std::span<const Base64Loops> base64_loops() {
  static const std::vector<Base64Loops> found = [] {
    std::vector<Base64Loops> loops;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw")) loops.push_back(base64_avx512);
    if (__builtin_cpu_supports("avx2")) loops.push_back(base64_avx2);
#endif
    loops.push_back({"portable", encode, decode});
    return loops;
  }();
  return found;
}

}  // namespace critpipe
