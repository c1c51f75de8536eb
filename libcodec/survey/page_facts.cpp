// Facts of pages: which scanner, joining parts, keeping them.
#include "critpipe/page_facts.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace critpipe {

void scan_pages_plain(const unsigned char* pages, std::size_t nr_pages, void* facts);
void scan_pages_avx2(const unsigned char* pages, std::size_t nr_pages, void* facts);
void scan_pages_avx512(const unsigned char* pages, std::size_t nr_pages, void* facts);

namespace {

template <void (*scan)(const unsigned char*, std::size_t, void*)>
void scan_bytes(const std::byte* pages, std::size_t nr_pages, PageFact* facts) {
  scan(reinterpret_cast<const unsigned char*>(pages), nr_pages, facts);
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
  page_scanner().scan(bytes.data(), bytes.size() / smallest_page, facts);
}

PageFact joined(std::span<const PageFact> parts) {
  if (parts.size() == 1) return parts.front();
  std::uint32_t votes[nr_page_classes] = {};
  for (const PageFact& part : parts) ++votes[static_cast<std::size_t>(part.page_class)];
  if (votes[0] == parts.size()) return {};
  // The most frequent class of those that are not zero.
  const auto most = std::max_element(std::begin(votes) + 1, std::end(votes));
  const XXH128_hash_t hash = XXH3_128bits(parts.data(), parts.size_bytes());
  return {hash.low64, static_cast<std::uint32_t>(hash.high64), static_cast<PageClass>(most - std::begin(votes)), {}};
}

void FactStore::grow(std::size_t nr_pages) {
  nr_pages_ = std::max(nr_pages_, nr_pages);
  chunks_.resize((nr_pages_ + chunk_pages - 1) / chunk_pages);
}

PageFact* FactStore::chunk(std::size_t index) {
  if (!chunks_[index]) chunks_[index] = std::make_unique<PageFact[]>(chunk_pages);
  return chunks_[index].get();
}

PageFact FactStore::page(std::size_t number, std::size_t nr_parts) const {
  if (nr_parts == 1) return at(number);
  std::array<PageFact, 256> parts;
  for (std::size_t i = 0; i < nr_parts; ++i) parts[i] = at(number * nr_parts + i);
  return joined({parts.data(), nr_parts});
}

std::size_t FactStore::memory_bytes() const {
  const auto there = std::ranges::count_if(chunks_, [](const auto& chunk) { return chunk != nullptr; });
  return static_cast<std::size_t>(there) * chunk_pages * sizeof(PageFact) + chunks_.size() * sizeof(void*);
}

}  // namespace critpipe
