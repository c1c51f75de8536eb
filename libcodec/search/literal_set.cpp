#include "search/literal_set.hpp"

#include "base/lower_case.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace critpipe::search {

namespace {

constexpr std::size_t longest_piece = 4;
constexpr std::size_t most_stride = 8;
constexpr unsigned bits_near = 18, bits_far = 20;  // 32 KiB and 128 KiB: the nearest cache and the next
constexpr std::size_t bits_a_piece = 48;           // so few places fit by chance

}  // namespace

#if defined(__x86_64__)

// The first vector from a place on in which so many bytes of literals stand in a row, or where fewer than a vector are
// left.
__attribute__((target("avx2"))) std::size_t LiteralSet::pass_over_avx2(const LiteralSet& set, const char* bytes,
                                                                       std::size_t from, std::size_t size) {
  const __m256i low_half = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(set.low_half_)));
  const __m256i high_half =
      _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(set.high_half_)));
  const __m256i digit = _mm256_set1_epi8(15);
  const __m256i bit_of = _mm256_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16,
                                          32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  const auto others = [&](const char* place) __attribute__((target("avx2"))) {
    const __m256i some = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(place));
    const __m256i low = _mm256_and_si256(some, digit);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(some, 4), digit);
    const __m256i row =
        _mm256_blendv_epi8(_mm256_shuffle_epi8(low_half, low), _mm256_shuffle_epi8(high_half, low), some);
    const __m256i is_one = _mm256_and_si256(row, _mm256_shuffle_epi8(bit_of, high));
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(is_one, _mm256_setzero_si256())));
  };
  const unsigned rest = set.nr_followed_ - 3;
  for (; from + vector_bytes <= size; from += vector_places) {
    const std::uint64_t ones = ~(std::uint64_t{others(bytes + from + 32)} << 32 | others(bytes + from));
    const std::uint64_t three = ones & ones >> 1 & ones >> 2;
    std::uint64_t row = three & three >> std::min(rest, 3u);
    row &= three >> rest;
    if ((row & ((std::uint64_t{1} << vector_places) - 1)) != 0) return from;
  }
  return from;
}

LiteralSet::PassOver LiteralSet::best_way() { return __builtin_cpu_supports("avx2") ? pass_over_avx2 : nullptr; }

#else

LiteralSet::PassOver LiteralSet::best_way() { return nullptr; }

#endif

LiteralSet::LiteralSet(std::vector<Literal> literals) : pass_over_{best_way()}, literals_{std::move(literals)} {
  std::size_t least = ~std::size_t{0};
  bool any_caseless = false;
  for (Literal& literal : literals_) {
    least = std::min(least, literal.text.size());
    longest_ = std::max(longest_, literal.text.size());
    any_caseless = any_caseless || literal.caseless;
    if (literal.caseless) literal.text = lower(std::move(literal.text));
  }
  nr_followed_ = static_cast<unsigned>(std::min<std::size_t>(least, 9));
  const auto add = [&](char byte) {
    const auto value = static_cast<unsigned char>(byte);
    const auto bit = static_cast<std::uint8_t>(1u << (value >> 4 & 7));
    (value < 0x80 ? low_half_ : high_half_)[value & 15] |= bit;
  };
  for (const Literal& literal : literals_)
    for (const char byte : literal.text.substr(0, least)) {
      add(byte);
      if (literal.caseless && byte >= 'a' && byte <= 'z') add(static_cast<char>(byte - 32));
    }
  const std::size_t piece_size = std::min(least, longest_piece);
  stride_ = std::min(least - piece_size + 1, most_stride);
  const auto fits = [&](unsigned bits) { return literals_.size() * stride_ * bits_a_piece <= std::size_t{1} << bits; };
  while (stride_ > 2 && !fits(bits_near)) --stride_;
  while (stride_ > 1 && !fits(bits_far)) --stride_;
  const unsigned bits = fits(bits_near) ? bits_near : bits_far;
  shift_ = 32 - bits;
  bits_.resize((std::size_t{1} << bits) / 32);
  mask_ = piece_size == longest_piece ? ~std::uint32_t{0} : (std::uint32_t{1} << (8 * piece_size)) - 1;
  // Letters of either case are one, and some other bytes, too.
  fold_ = any_caseless ? 0x20202020u & mask_ : 0;
  const auto slot_bits = static_cast<unsigned>(std::bit_width(literals_.size() * stride_ * 2));
  slot_shift_ = 32 - slot_bits;
  slots_.assign(std::size_t{1} << slot_bits, none);
  for (std::size_t number = literals_.size(); number-- > 0;)
    for (std::size_t offset = 0; offset < stride_; ++offset) {  // of one literal, what begins first is found first
      char bytes[longest_piece] = {};
      std::memcpy(bytes, literals_[number].text.data() + offset, piece_size);
      const std::uint32_t value = value_at<false>(bytes);
      const std::uint32_t bit = bit_of(value);
      bits_[bit / 32] |= 1u << (bit % 32);
      std::uint32_t& slot = slots_[slot_of(value)];
      pieces_.push_back({value, static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(offset), slot});
      slot = static_cast<std::uint32_t>(pieces_.size() - 1);
    }
}

bool LiteralSet::is_at(const Literal& literal, const char* place) const {
  if (!literal.caseless) return std::memcmp(place, literal.text.data(), literal.text.size()) == 0;
  return std::equal(literal.text.begin(), literal.text.end(), place, [](char a, char b) { return a == lower(b); });
}

}  // namespace critpipe::search
