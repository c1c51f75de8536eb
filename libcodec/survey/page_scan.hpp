// The scan of pages, for each way to count. Internal: a source defines `struct Lanes` and includes this; it may be
// compiled for a processor that not every machine has, so nothing here or below may be shared with other sources.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace critpipe {

namespace {

constexpr size_t page_bytes = 4096;
constexpr size_t sampled_stride = 512;  // one line of 64 bytes in each
constexpr uint32_t sampled_bytes = page_bytes / sampled_stride * 64;
constexpr uint32_t sampled_words = sampled_bytes / 8;

// Of the sampled bytes and words of one page.
struct Counts {
  uint32_t zero, printable, high, rex, move, pointers;
};

// Thresholds found on pages of known content: code of libc, nginx and ruby, text files, zstd frames, heaps.
inline uint8_t class_of(const Counts& counts) {
  enum : uint8_t { sparse = 1, text, code, pointers, random, data };
  const uint32_t filled = sampled_bytes - counts.zero;
  if (counts.pointers * 4 >= sampled_words) return pointers;
  if (filled * 8 <= sampled_bytes) return sparse;
  if (counts.printable * 10 >= filled * 9) return text;
  if (counts.rex * 40 >= sampled_bytes && counts.move * 80 >= sampled_bytes) return code;
  const bool even = counts.high * 10 >= sampled_bytes * 4 && counts.high * 10 <= sampled_bytes * 6;
  const bool ascii = counts.printable * 100 >= sampled_bytes * 29 && counts.printable * 100 <= sampled_bytes * 46;
  if (counts.zero * 40 <= sampled_bytes && even && ascii) return random;
  return data;
}

// As PageFact lies in memory; page_facts.cpp asserts the same offsets of that.
struct Fact {
  uint64_t low;
  uint32_t high;
  uint8_t page_class;
  uint8_t unused[3];
};
static_assert(sizeof(Fact) == 16 && offsetof(Fact, high) == 8 && offsetof(Fact, page_class) == 12);
constexpr size_t secret_bytes = 192;
static_assert(secret_bytes >= XXH3_SECRET_SIZE_MIN);

template <class Lanes>
void scan_with(const unsigned char* pages, size_t nr_pages, unsigned char* facts, const unsigned char* secret) {
  for (size_t i = 0; i < nr_pages; ++i) {
    const unsigned char* const page = pages + i * page_bytes;
    Fact fact = {0, 0, 0, {0, 0, 0}};
    if (!Lanes::is_zero(page)) {
      const XXH128_hash_t hash = XXH3_128bits_withSecret(page, page_bytes, secret, secret_bytes);
      fact.low = hash.low64;
      fact.high = static_cast<uint32_t>(hash.high64);
      fact.page_class = class_of(Lanes::count(page));
    }
    memcpy(facts + i * sizeof fact, &fact, sizeof fact);
  }
}

}  // namespace

}  // namespace critpipe
