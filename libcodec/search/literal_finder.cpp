#include "search/literal_finder.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace critpipe::search {

namespace {

constexpr std::size_t sample_stride = 509, sparse_stride = 8191;
constexpr std::size_t well_sampled = 1 << 14;  // from here on, samples are sparse: each costs a line of the cache
constexpr std::size_t samples_of_choice = 256;
constexpr std::size_t longest_looked_at = 64;  // bytes of a literal to choose from

std::size_t find_with_memchr(const LiteralFinder& finder, const char* bytes, std::size_t from, std::size_t last) {
  return finder.find_plain(bytes, from, last);
}

#if defined(__x86_64__)

// Both ways: whole vectors of candidates, then what is left.
__attribute__((target("avx512f,avx512bw"))) std::size_t find_avx512(const LiteralFinder& finder, const char* bytes,
                                                                    std::size_t from, std::size_t last) {
  const char* const first = bytes + finder.first();
  const char* const second = bytes + finder.second();
  const __m512i one = _mm512_set1_epi8(finder.byte(finder.first()));
  const __m512i other = _mm512_set1_epi8(finder.byte(finder.second()));
  std::size_t at = from;
  for (; at + 128 <= last + 1; at += 128) {
    const __mmask64 low = _mm512_mask_cmpeq_epi8_mask(_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(first + at), one),
                                                      _mm512_loadu_si512(second + at), other);
    const __mmask64 high = _mm512_mask_cmpeq_epi8_mask(_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(first + at + 64), one),
                                                       _mm512_loadu_si512(second + at + 64), other);
    if (_kortestz_mask64_u8(low, high)) [[likely]]
      continue;
    for (std::uint64_t mask = low; mask != 0; mask &= mask - 1) {
      const std::size_t place = at + static_cast<std::size_t>(std::countr_zero(mask));
      if (finder.is_at(bytes + place)) return place;
    }
    for (std::uint64_t mask = high; mask != 0; mask &= mask - 1) {
      const std::size_t place = at + 64 + static_cast<std::size_t>(std::countr_zero(mask));
      if (finder.is_at(bytes + place)) return place;
    }
  }
  return finder.find_plain(bytes, at, last);
}

__attribute__((target("avx2"))) std::size_t find_avx2(const LiteralFinder& finder, const char* bytes, std::size_t from,
                                                      std::size_t last) {
  const char* const first = bytes + finder.first();
  const char* const second = bytes + finder.second();
  const __m256i one = _mm256_set1_epi8(finder.byte(finder.first()));
  const __m256i other = _mm256_set1_epi8(finder.byte(finder.second()));
  std::size_t at = from;
  for (; at + 64 <= last + 1; at += 64) {
    const auto* const a = reinterpret_cast<const __m256i*>(first + at);
    const auto* const b = reinterpret_cast<const __m256i*>(second + at);
    const __m256i low = _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_loadu_si256(a), one),
                                         _mm256_cmpeq_epi8(_mm256_loadu_si256(b), other));
    const __m256i high = _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_loadu_si256(a + 1), one),
                                          _mm256_cmpeq_epi8(_mm256_loadu_si256(b + 1), other));
    const __m256i any = _mm256_or_si256(low, high);
    if (_mm256_testz_si256(any, any)) [[likely]]
      continue;
    const auto of_low = static_cast<std::uint32_t>(_mm256_movemask_epi8(low));
    const auto of_high = static_cast<std::uint32_t>(_mm256_movemask_epi8(high));
    for (std::uint64_t mask = std::uint64_t{of_high} << 32 | of_low; mask != 0; mask &= mask - 1) {
      const std::size_t place = at + static_cast<std::size_t>(std::countr_zero(mask));
      if (finder.is_at(bytes + place)) return place;
    }
  }
  return finder.find_plain(bytes, at, last);
}

#endif

constexpr LiteralFinder::Way ways[] = {
#if defined(__x86_64__)
    {"avx512", [] { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"); }, find_avx512},
    {"avx2", [] { return __builtin_cpu_supports("avx2") != 0; }, find_avx2},
#endif
    {"memchr", [] { return true; }, find_with_memchr},
};

}  // namespace

std::span<const LiteralFinder::Way> LiteralFinder::all_ways() { return ways; }

LiteralFinder::LiteralFinder(std::string literal)
    : literal_{std::move(literal)}, second_{literal_.size() - 1}, way_{std::ranges::find_if(ways, [](const Way& way) {
        return way.works_here();
      })} {}

void LiteralFinder::learn(Bytes bytes) {
  const std::size_t stride = nr_seen_ < well_sampled ? sample_stride : sparse_stride;
  for (; next_sample_ < bytes.size(); next_sample_ += stride, ++nr_seen_)
    ++seen_[static_cast<unsigned char>(bytes[next_sample_])];
  next_sample_ -= bytes.size();
  if (nr_seen_ < next_choice_) return;
  next_choice_ = nr_seen_ + samples_of_choice;
  const std::size_t count = std::min(literal_.size(), longest_looked_at);
  const auto frequency = [&](std::size_t index) { return seen_[static_cast<unsigned char>(literal_[index])]; };
  first_ = 0;
  for (std::size_t i = 1; i < count; ++i)
    if (frequency(i) < frequency(first_)) first_ = i;
  second_ = first_ == 0 ? count - 1 : 0;
  for (std::size_t i = 1; i < count; ++i)
    if (i != first_ && frequency(i) < frequency(second_)) second_ = i;
}

std::size_t LiteralFinder::find(Bytes bytes, std::size_t from) const {
  if (bytes.size() < literal_.size() || from > bytes.size() - literal_.size()) return npos;
  return way_->find(*this, reinterpret_cast<const char*>(bytes.data()), from, bytes.size() - literal_.size());
}

bool LiteralFinder::is_at(const char* place) const { return std::memcmp(place, literal_.data(), literal_.size()) == 0; }

std::size_t LiteralFinder::find_plain(const char* bytes, std::size_t from, std::size_t last) const {
  while (from <= last) {
    const void* const next = std::memchr(bytes + from + first_, literal_[first_], last - from + 1);
    if (!next) return npos;
    from = static_cast<std::size_t>(static_cast<const char*>(next) - bytes) - first_;
    if (is_at(bytes + from)) return from;
    ++from;
  }
  return npos;
}

}  // namespace critpipe::search
