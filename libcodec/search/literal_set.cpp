#include "search/literal_set.hpp"

#include <array>
#include <limits>
#include <numeric>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace critpipe::search {

using namespace std::string_view_literals;

namespace {

constexpr std::size_t longest_piece = 4;
constexpr std::size_t longest_window = 9;
constexpr std::size_t most_stride = 8;
constexpr std::size_t most_windows = 32;           // of a literal, to choose from
constexpr unsigned bits_near = 18, bits_far = 20;  // 32 KiB and 128 KiB: the nearest cache and the next
constexpr std::size_t bits_a_piece = 48;           // so few places fit by chance

// Bytes that memory is full of, the most frequent one first; all others are rarer.
constexpr std::string_view frequent = "\0 etaoinsrhldcumpfgyb\xffwv0k12.-_/x3456789:jqz"sv;

constexpr auto frequencies = [] {
  std::array<double, 256> of_bytes = {};
  const auto at_rank = [](std::size_t rank) { return 1 / static_cast<double>(4 + rank); };
  of_bytes.fill(at_rank(frequent.size()));
  for (std::size_t i = 0; i < frequent.size(); ++i) of_bytes[static_cast<unsigned char>(frequent[i])] = at_rank(i);
  return of_bytes;
}();

double frequency(char byte) { return frequencies[static_cast<unsigned char>(byte)]; }

}  // namespace

#if defined(__x86_64__)

#define FOR_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

FOR_AVX2 std::size_t LiteralSet::sift_avx2(const LiteralSet& set, std::string_view text, std::size_t from,
                                           Places& places) {
  const __m256i digit = _mm256_set1_epi8(15);
  const __m256i bit_of = _mm256_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16,
                                          32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  const auto others_of_half = [&](const ByteSet& bytes, const char* place) FOR_AVX2 {
    const auto* const halves = reinterpret_cast<const __m128i*>(bytes.high_digits);
    const __m256i some = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(place));
    const __m256i low = _mm256_and_si256(some, digit);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(some, 4), digit);
    const __m256i row = _mm256_blendv_epi8(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(halves[0]), low),
                                           _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(halves[1]), low), some);
    const __m256i is_one = _mm256_and_si256(row, _mm256_shuffle_epi8(bit_of, high));
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(is_one, _mm256_setzero_si256())));
  };
  const auto others = [&](const ByteSet& bytes, const char* place) FOR_AVX2 {
    return std::uint64_t{others_of_half(bytes, place + 32)} << 32 | others_of_half(bytes, place);
  };
  // Where as many ones begin as a window has bytes.
  const auto rows = [rest = set.window_ - 3](std::uint64_t ones) FOR_AVX2 {
    const std::uint64_t three = ones & ones >> 1 & ones >> 2;
    return three & three >> std::min<std::size_t>(rest, 3) & three >> rest;
  };
  const std::size_t step = set.vector_places_, stride = set.stride_;
  const std::uint64_t seen = (std::uint64_t{1} << step) - 1, looked_at = set.looked_at_;
  for (; from + vector_bytes <= text.size() && places.count <= Places::enough; from += step) {
    const char* const vector = text.data() + from;
    std::uint64_t begins = rows(~others(set.all_, vector)) & seen;
    if (begins == 0) continue;
    begins &= ~rows(others(set.rare_, vector));
    std::uint64_t here = begins;
    for (std::size_t i = 1; i < stride; ++i) here |= begins << i;
    here &= looked_at;
    std::size_t* out = places.at + places.count;
    places.count += static_cast<std::size_t>(std::popcount(here));
    do
      for (int i = 0; i < 4; ++i, here &= here - 1) *out++ = from + _tzcnt_u64(here);
    while (here != 0);
  }
  return from;
}

LiteralSet::Sift LiteralSet::best_sift() {
  const bool works_here = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                          __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
  return works_here ? sift_avx2 : nullptr;
}

#else

LiteralSet::Sift LiteralSet::best_sift() { return nullptr; }

#endif

void LiteralSet::ByteSet::add(const Literal& literal, char byte) {
  const auto value = static_cast<unsigned char>(byte);
  high_digits[row_of(value)] |= bit_of(value);
  if (literal.caseless && byte >= 'a' && byte <= 'z') add({}, static_cast<char>(byte - 'a' + 'A'));
}

bool LiteralSet::ByteSet::has(char byte) const {
  const auto value = static_cast<unsigned char>(byte);
  return (high_digits[row_of(value)] & bit_of(value)) != 0;
}

LiteralSet::LiteralSet(std::vector<Literal> literals) : sift_{best_sift()}, literals_{std::move(literals)} {
  std::size_t least = ~std::size_t{0};
  bool any_caseless = false;
  for (Literal& literal : literals_) {
    least = std::min(least, literal.text.size());
    longest_ = std::max(longest_, literal.text.size());
    any_caseless = any_caseless || literal.caseless;
    if (literal.caseless) literal.text = lower(std::move(literal.text));
  }
  window_ = std::min(least, longest_window);
  piece_size_ = std::min(least, longest_piece);
  stride_ = std::min(window_ - piece_size_ + 1, most_stride);
  const auto fits = [&](unsigned bits) { return literals_.size() * stride_ * bits_a_piece <= std::size_t{1} << bits; };
  while (stride_ > 2 && !fits(bits_near)) --stride_;
  while (stride_ > 1 && !fits(bits_far)) --stride_;
  const unsigned bits = fits(bits_near) ? bits_near : bits_far;
  shift_ = 32 - bits;
  bits_.resize((std::size_t{1} << bits) / 32);
  vector_places_ = (vector_bytes - std::max(window_, longest_piece) + 1) / stride_ * stride_;
  for (std::size_t i = stride_ - 1; i < vector_places_; i += stride_) looked_at_ |= std::uint64_t{1} << i;
  mask_ = piece_size_ == longest_piece ? ~std::uint32_t{0} : (std::uint32_t{1} << (8 * piece_size_)) - 1;
  // Letters of either case are one, and some other bytes, too.
  fold_ = any_caseless ? 0x20202020u & mask_ : 0;
  const auto slot_bits = static_cast<unsigned>(std::bit_width(literals_.size() * stride_ * 2));
  slot_shift_ = 32 - slot_bits;
  slots_.assign(std::size_t{1} << slot_bits, none);
  nr_in_slot_.resize(slots_.size());
  for (std::uint32_t i = 0; i < literals_.size(); ++i) add(i, rarest_window(literals_[i]));
}

std::uint32_t LiteralSet::piece_at(const Literal& literal, std::size_t offset) const {
  char bytes[longest_piece] = {};
  std::memcpy(bytes, literal.text.data() + offset, piece_size_);
  return value_at<false>(bytes);
}

// Its pieces are rare in memory, and few other literals have them.
std::size_t LiteralSet::rarest_window(const Literal& literal) const {
  std::array<double, most_windows + most_stride> chances = {};
  const std::size_t nr_windows = std::min(literal.text.size() - window_ + 1, most_windows);
  for (std::size_t at = 0; at < nr_windows + stride_ - 1; ++at) {
    chances[at] = 1 + nr_in_slot_[slot_of(piece_at(literal, at))];
    for (std::size_t i = 0; i < piece_size_; ++i) chances[at] *= frequency(literal.text[at + i]);
  }
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t window = 0; window < nr_windows; ++window) {
    const auto* const first = chances.data() + window;
    const double chance = std::accumulate(first, first + stride_, 0.0);
    if (chance >= least) continue;
    least = chance;
    best = window;
  }
  return best;
}

void LiteralSet::add(std::uint32_t number, std::size_t window) {
  const Literal& literal = literals_[number];
  const std::string_view bytes = std::string_view{literal.text}.substr(window, window_);
  for (const char byte : bytes) all_.add(literal, byte);
  // One that is in the set already, if there is one.
  rare_.add(literal, std::ranges::min(bytes, {}, [&](char byte) {
              return std::pair{!rare_.has(byte), frequency(byte)};
            }));
  for (std::size_t i = 0; i < stride_; ++i) {  // of one literal, what begins first is found first
    const std::size_t offset = window + i;
    const std::uint32_t value = piece_at(literal, offset);
    const std::uint32_t bit = bit_of(value);
    bits_[bit / 32] |= 1u << (bit % 32);
    const std::size_t slot = slot_of(value);
    pieces_.push_back({value, number, static_cast<std::uint32_t>(offset), slots_[slot]});
    slots_[slot] = static_cast<std::uint32_t>(pieces_.size() - 1);
    ++nr_in_slot_[slot];
  }
}

bool LiteralSet::is_at(const Literal& literal, const char* place) const {
  if (!literal.caseless) return std::memcmp(place, literal.text.data(), literal.text.size()) == 0;
  return std::equal(literal.text.begin(), literal.text.end(), place, [](char a, char b) { return a == lower(b); });
}

}  // namespace critpipe::search
