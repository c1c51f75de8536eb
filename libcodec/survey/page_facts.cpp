// Facts of pages: which scanner, joining parts, keeping them.
#include "survey/page_facts.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <type_traits>

namespace critpipe {

using ScanBytes = void(const unsigned char* pages, std::size_t nr_pages, unsigned char* facts,
                       const unsigned char* secret);
ScanBytes scan_pages_plain, scan_pages_avx2, scan_pages_avx512;

// The scanners write facts as bytes, since they can't include survey.hpp.
static_assert(sizeof(PageFact) == 16 && std::is_standard_layout_v<PageFact> && std::is_trivially_copyable_v<PageFact>);
static_assert(offsetof(PageFact, low) == 0 && offsetof(PageFact, high) == 8 && offsetof(PageFact, page_class) == 12);
static_assert(static_cast<int>(PageClass::sparse) == 1 && static_cast<int>(PageClass::text) == 2 &&
              static_cast<int>(PageClass::code) == 3 && static_cast<int>(PageClass::pointers) == 4 &&
              static_cast<int>(PageClass::random) == 5 && static_cast<int>(PageClass::data) == 6);

namespace {

template <ScanBytes scan>
void scan_bytes(const std::byte* pages, std::size_t nr_pages, PageFact* facts, const HashSecret& secret) {
  scan(reinterpret_cast<const unsigned char*>(pages), nr_pages, reinterpret_cast<unsigned char*>(facts), secret.data());
}

constexpr PageScanner scanners[] = {
#if defined(__x86_64__)
    {"avx512",
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("popcnt");
     },
     scan_bytes<scan_pages_avx512>},
    {"avx2", [] { return __builtin_cpu_supports("avx2") != 0; }, scan_bytes<scan_pages_avx2>},
#endif
    {"plain", [] { return true; }, scan_bytes<scan_pages_plain>},
};

constexpr std::string_view class_names[nr_page_classes] = {"zero",     "sparse", "text", "code",
                                                           "pointers", "random", "data"};

}  // namespace

std::string_view name_of(PageClass page_class) { return class_names[static_cast<std::size_t>(page_class)]; }

std::span<const PageScanner> all_page_scanners() { return scanners; }

const PageScanner& page_scanner() {
  static const PageScanner& best =
      *std::ranges::find_if(scanners, [](const auto& scanner) { return scanner.works_here(); });
  return best;
}

void scan_pages(Bytes bytes, PageFact* facts) {
  page_scanner().scan(bytes.data(), pages_in(bytes.size(), smallest_page), facts, hash_secret());
}

PageFact joined(std::span<const PageFact> parts) {
  if (parts.size() == 1) return parts.front();
  std::uint32_t votes[nr_page_classes] = {};
  for (const PageFact& part : parts) ++votes[static_cast<std::size_t>(part.page_class)];
  if (votes[0] == parts.size()) return {};
  // The most frequent class of those that are not zero.
  const auto most = std::max_element(std::begin(votes) + 1, std::end(votes));
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(parts.data(), parts.size_bytes(), hash_secret().data(), hash_secret().size());
  return {.low = hash.low64,
          .high = static_cast<std::uint32_t>(hash.high64),
          .page_class = static_cast<PageClass>(most - std::begin(votes))};
}

constexpr std::size_t parts_of_largest = pages_in(largest_page, smallest_page);
static_assert(PageFacts::Chunks::chunk_pages % parts_of_largest == 0);

// An input may hold many small images.
PageFact* PageFacts::Chunks::chunk(std::size_t index, std::size_t nr_pages) {
  const auto known = chunks_.find(index);  // operator[] may not be called by several threads
  std::vector<PageFact>& chunk = known == chunks_.end() ? chunks_[index] : known->second;
  if (nr_pages > chunk.size()) chunk.resize(std::bit_ceil(std::max(nr_pages, parts_of_largest)));
  return chunk.data();
}

void PageFacts::Chunks::lose(std::size_t begin, std::size_t end) {
  auto next = lost_.upper_bound(begin);
  if (next != lost_.begin() && std::prev(next)->second >= begin) begin = (--next)->first;
  for (; next != lost_.end() && next->first <= end; next = lost_.erase(next)) end = std::max(end, next->second);
  lost_[begin] = end;
}

PageFact PageFacts::Chunks::page(std::size_t number, std::size_t nr_parts) const {
  const auto lost = lost_.lower_bound((number + 1) * nr_parts);
  if (lost != lost_.begin() && std::prev(lost)->second > number * nr_parts) return {.is_lost = true};
  const auto chunk = chunks_.find(number * nr_parts / chunk_pages);
  const std::size_t at = number * nr_parts % chunk_pages;
  if (chunk == chunks_.end() || at >= chunk->second.size()) return {};
  return joined({chunk->second.data() + at, nr_parts});
}

std::size_t PageFacts::Chunks::nr_zero(std::size_t page) const {
  const auto chunk = chunks_.lower_bound(page / chunk_pages);
  std::size_t end = chunk == chunks_.end() ? nr_pages_ : std::min(nr_pages_, chunk->first * chunk_pages);
  const auto lost = lost_.upper_bound(page);
  if (lost != lost_.end()) end = std::min(end, lost->first);
  if (lost != lost_.begin() && std::prev(lost)->second > page) return 0;
  return end - std::min(page, end);
}

PageFacts::PageFacts() : chunks_{std::make_unique<Chunks>()} {}
PageFacts::~PageFacts() = default;
PageFacts::PageFacts(PageFacts&& other) noexcept = default;
PageFacts& PageFacts::operator=(PageFacts&& other) noexcept = default;

std::uint64_t PageFacts::nr_pages(std::uint64_t page_size) const {
  return chunks_->size() / pages_in(page_size, smallest_page);
}

std::uint64_t PageFacts::nr_zero(std::uint64_t number, std::uint64_t page_size) const {
  const std::uint64_t nr_parts = pages_in(page_size, smallest_page);
  return chunks_->nr_zero(number * nr_parts) / nr_parts;
}

PageFact PageFacts::page(std::uint64_t number, std::uint64_t page_size) const {
  return chunks_->page(number, pages_in(page_size, smallest_page));
}

}  // namespace critpipe
