// survey: What a page holds, in 16 bytes: a hash of its content, and what kind of content it looks like.
//
//     std::vector<PageFact> facts(bytes.size() / smallest_page);
//     scan_pages(bytes, facts.data());
//     DistinctPages pages{budget_bytes};
//     pages.begin_member(member);
//     pages.add(member, facts);                            // pages.count(member)
//
// Pages are scanned by the smallest page size, since a stream brings pages before anything says how large they are;
// joined() makes the fact of a larger page from those of its parts. Hashes are 96 bits of XXH3: two different pages of
// 2^40 look equal with a probability below 10^-4.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "critpipe/pages.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// A guess, from every eighth line of 64 bytes; only zero is certain.
enum class PageClass : std::uint8_t {
  zero,
  sparse,    // few bytes are not zero
  text,      // printable ASCII
  code,      // x86-64 instructions
  pointers,  // a quarter or more of the words look like addresses
  random,    // encrypted, compressed or noise
  data       // anything else
};
constexpr std::size_t nr_page_classes = 7;
std::string_view name_of(PageClass page_class);

struct PageFact {
  std::uint64_t low = 0;
  std::uint32_t high = 0;
  PageClass page_class = PageClass::zero;
  std::array<std::uint8_t, 3> unused = {};

  bool is_zero() const { return page_class == PageClass::zero; }
  bool same_as(const PageFact& other) const {
    return low == other.low && high == other.high && is_zero() == other.is_zero();
  }
};
static_assert(sizeof(PageFact) == 16);

// Requires: bytes.size() is a multiple of smallest_page; one fact for each.
void scan_pages(Bytes bytes, PageFact* facts);
// The fact of the page that these parts make up.
PageFact joined(std::span<const PageFact> parts);

// How scan_pages does it on this machine ("avx512", "avx2", "plain"), and all ways that there are, for tests.
struct PageScanner {
  std::string_view name;
  bool (*works_here)();
  void (*scan)(const std::byte* pages, std::size_t nr_pages, PageFact* facts);
};
std::span<const PageScanner> all_page_scanners();  // the best that works first
const PageScanner& page_scanner();

// Facts by number of smallest page, for any number of pages. Stretches that were never written count as zero, so that
// holes in a file take no room.
class FactStore {
 public:
  static constexpr std::size_t chunk_pages = 1 << 14;

  // Facts of one chunk, made if it is not there yet. Distinct chunks may be filled by distinct threads after grow().
  PageFact* chunk(std::size_t index);
  void grow(std::size_t nr_pages);
  std::size_t size() const { return nr_pages_; }
  PageFact at(std::size_t page) const {
    const auto& chunk = chunks_[page / chunk_pages];
    return chunk ? chunk[page % chunk_pages] : PageFact{};
  }
  // Of a page of nr_parts smallest pages.
  PageFact page(std::size_t number, std::size_t nr_parts) const;
  std::size_t memory_bytes() const;
  void drop(std::size_t chunk_index) { chunks_[chunk_index].reset(); }

 private:
  std::vector<std::unique_ptr<PageFact[]>> chunks_;
  std::size_t nr_pages_ = 0;
};

// Facts of all whole pages of a pages image in a file. Reasons: io_open, io_read, cut_pages.
Error scan_pages_file(const std::string& path, unsigned nr_threads, FactStore& facts);

// Counts different contents: exactly while a table of hashes fits in the budget, then with HyperLogLog.
//
// Pages belong to a member (a process), members to a set (a checkpoint). Members come one after the other; only once
// is_exact() is false may their pages be mixed.
class DistinctPages {
 public:
  struct Group {
    std::uint64_t distinct = 0;
    std::vector<std::uint8_t> sketch = {};  // empty while exact
  };
  struct Member : Group {
    std::uint32_t number = 0;
    std::uint64_t shared = 0;  // contents that an earlier member has too; while exact
  };
  struct Count {
    std::uint64_t pages = 0;
    bool exact = true;
  };

  explicit DistinctPages(std::uint64_t budget_bytes = ~std::uint64_t{0});
  ~DistinctPages();

  void expect(std::uint64_t nr_pages);  // so many more may come: the table grows once
  void begin_set(Group& set);
  void begin_member(Member& member);
  void add(Member& member, std::span<const PageFact> facts);
  bool is_exact() const { return exact_; }
  void give_up();  // estimates from here on, also of what came before

  static Count count(const Group& group);
  Count in_all() const { return count(all_); }
  static double relative_error();  // of an estimate, one standard deviation

 private:
  struct Slot {
    std::uint64_t low;
    std::uint32_t high;
    std::uint32_t member;
  };  // member 0: free

  void add(Member& member, const PageFact& fact);
  void grow(std::uint64_t nr_slots);
  void release();

  std::uint64_t budget_bytes_;
  std::span<Slot> slots_;  // a power of two, three quarters full at most
  std::uint64_t used_ = 0;
  std::uint32_t nr_members_ = 0;
  std::uint32_t first_of_set_ = 1;
  bool exact_ = true;
  Member* member_ = nullptr;  // the current ones
  Group* set_ = nullptr;
  Group all_;
};

// What a compressor would make of pages, from a sample of them.
struct CompressionEstimate {
  double ratio = 0;  // compressed / plain
  double error = 0;  // of the ratio, one standard deviation
  std::uint64_t sampled_bytes = 0;
};

}  // namespace critpipe
#pragma GCC visibility pop
