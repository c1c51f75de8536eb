// A search by several threads against the same by one, on chunks so small that matches lie across their borders.
#include "search/parallel_search.hpp"

#include <gtest/gtest.h>

#include <random>
#include <tuple>

#include "pages/held_pages.hpp"
#include "search/pattern_engine.hpp"

using namespace critpipe;
using search::FedSearch;
using search::ParallelSearch;

namespace {

struct Found {
  std::uint64_t address, length;
  std::size_t pattern;
  std::string before, match, after;
  bool operator==(const Found&) const = default;
};

std::string text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

Found found_of(const Match& match) {
  return {match.address,         match.length,         match.pattern,
          text_of(match.before), text_of(match.match), text_of(match.after)};
}

// What is searched: stretches, each fed in blocks.
struct Memory {
  struct Stretch {
    std::uint64_t address;
    std::string bytes;
  };
  std::vector<Stretch> stretches;
};

Memory random_memory(std::mt19937& random, std::string_view letters) {
  Memory memory;
  std::uint64_t address = 0x1000;
  for (std::size_t nr = 1 + random() % 4; nr > 0; --nr) {
    std::string bytes(1 + random() % 3000, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const bool repeats = i > 4 && random() % 3 == 0;
      bytes[i] = repeats ? bytes[i - 1 - random() % 4] : letters[random() % letters.size()];
    }
    memory.stretches.push_back({address, bytes});
    address += bytes.size() + random() % 3 * 1000 + 1;
  }
  return memory;
}

template <typename Searcher>
void feed(Searcher& search, const Memory& memory, std::mt19937 random) {
  for (const auto& [address, bytes] : memory.stretches) {
    search.begin(address);
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(bytes.size() - at, 1 + random() % 400);
      if (search.feed(std::as_bytes(std::span{bytes}).subspan(at, size)) == Step::stop) return;
      at += size;
    }
    if (search.end() == Step::stop) return;
  }
}

std::vector<Found> found_by_one(const Patterns& patterns, std::size_t context, const Memory& memory,
                                std::uint_fast32_t seed, std::size_t most = ~std::size_t{0}) {
  std::vector<Found> all;
  Search search{patterns, context, [&](const Match& match) {
                  all.push_back(found_of(match));
                  return all.size() < most ? Step::go : Step::stop;
                }};
  feed(search, memory, std::mt19937{seed});
  return all;
}

std::vector<Found> found_by_many(const Patterns& patterns, std::size_t context, const Memory& memory,
                                 std::uint_fast32_t seed, std::size_t capacity, std::size_t& nr_met,
                                 std::size_t most = ~std::size_t{0}) {
  std::vector<Found> all;
  ParallelSearch search{patterns,
                        context,
                        3,
                        [&](const Match& match) {
                          all.push_back(found_of(match));
                          return all.size() < most ? Step::go : Step::stop;
                        },
                        {},
                        capacity};
  feed(search, memory, std::mt19937{seed + 1});
  (void)search.finish();
  nr_met += search.nr_met();
  return all;
}

constexpr const char* expressions[] = {
    "ab",     "aba", "aa",         "a[ab]{2}b",     "a.{1,9}c", "(?i)AB.?c",     "\\bab\\b",
    "^ab",    "b$",  "[abc]{3,7}", "a(bc|cb){1,3}", "\\x00{3}", "(ab|ba){2,5}?", "c[^c]{0,30}c",
    "\\x00a", "a+b", "ab[a]*c",    "abc.*cba",      "ca+?b",    "b[^\\x00]+ca",
};

}  // namespace

TEST(ParallelSearch, FindsWhatOneThreadFinds) {
  std::mt19937 random{7};
  std::size_t nr_met = 0, nr_found = 0;
  for (int round = 0; round < 300; ++round) {
    Patterns patterns;
    std::string shown;
    for (std::size_t nr = 1 + random() % 3; nr > 0; --nr) {
      PatternText pattern{.text = expressions[random() % std::size(expressions)]};
      if (random() % 4 == 0) {
        pattern.text = std::string{"abc\0"}.substr(random() % 3, 1 + random() % 3);
        pattern.syntax = PatternText::Syntax::literal;
      }
      ASSERT_FALSE(patterns.add(pattern)) << pattern.text;
      shown += pattern.text + "  ";
    }
    ASSERT_FALSE(patterns.compile());
    if (!ParallelSearch::works_for(patterns)) continue;
    const Memory memory = random_memory(random, std::string_view{"aabbcc\0\n", 5 + random() % 4});
    const std::size_t context = random() % 20;
    const auto wanted = found_by_one(patterns, context, memory, random());
    ASSERT_TRUE(wanted == found_by_one(patterns, context, memory, random())) << shown;
    const std::size_t capacity = 1 + random() % 700;
    const auto found = found_by_many(patterns, context, memory, random(), capacity, nr_met);
    nr_found += wanted.size();
    for (std::size_t i = 0; i < std::min(found.size(), wanted.size()); ++i)
      ASSERT_TRUE(found[i] == wanted[i]) << "round " << round << ", match " << i << ": " << shown << "; "
                                         << found[i].address << '+' << found[i].length << " and " << wanted[i].address
                                         << '+' << wanted[i].length << ", capacity " << capacity << ", context "
                                         << context;
    ASSERT_EQ(found.size(), wanted.size()) << "round " << round << ": " << shown << " capacity " << capacity;
    const std::size_t most = 1 + random() % 5;
    const auto first = found_by_many(patterns, context, memory, random(), capacity, nr_met, most);
    ASSERT_EQ(first, (std::vector<Found>{wanted.begin(),
                                         wanted.begin() + static_cast<std::ptrdiff_t>(std::min(most, wanted.size()))}));
  }
  EXPECT_GT(nr_found, 300u);
  EXPECT_GT(nr_met, 300u);
}

// Texts that must occur, against the engine alone.
TEST(SearchWindows, FindWhatTheEngineFinds) {
  constexpr const char* needy[] = {
      "abca?b",   "(abc|cab)a{0,3}c", "(?i)abc[^b]{0,9}a", "cab[^\\n]{0,5}?b", "abc+",       "a[bc]{0,4}abc", "bca.*?b",
      "abc.*cba", "[ab]{2}cab\\x00?", "(?i:cAb)|bcb+a",    "\\x00{2}ab[a-c]",  "abc(?s:.)+c"};
  std::mt19937 random{11};
  std::size_t nr_found = 0, nr_needy = 0;
  for (int round = 0; round < 300; ++round) {
    Patterns patterns, plain;
    std::string shown;
    for (std::size_t nr = 1 + random() % 3; nr > 0; --nr) {
      const PatternText pattern{.text = needy[random() % std::size(needy)], .caseless = random() % 5 == 0};
      ASSERT_FALSE(patterns.add(pattern));
      ASSERT_FALSE(plain.add(pattern));
      shown += pattern.text + "  ";
    }
    ASSERT_FALSE(patterns.compile());
    ASSERT_FALSE(plain.compile());
    nr_needy += patterns.compiled().needed ? 1 : 0;
    const_cast<Patterns::Compiled&>(plain.compiled()).needed.reset();
    const Memory memory = random_memory(random, std::string_view{"abcabcABxyzxyz\0\n", 9 + random() % 7});
    const std::uint_fast32_t seed = random();
    auto wanted = found_by_one(plain, 3, memory, seed), found = found_by_one(patterns, 3, memory, seed);
    const auto order = [](const Found& a, const Found& b) {
      return std::tie(a.address, a.pattern) < std::tie(b.address, b.pattern);
    };
    std::ranges::sort(wanted, order);
    std::ranges::sort(found, order);
    nr_found += wanted.size();
    for (std::size_t i = 0; i < std::min(found.size(), wanted.size()); ++i)
      ASSERT_TRUE(found[i] == wanted[i]) << "round " << round << ", match " << i << ": " << shown << "; "
                                         << found[i].address << '+' << found[i].length << " and " << wanted[i].address
                                         << '+' << wanted[i].length;
    ASSERT_EQ(found.size(), wanted.size()) << "round " << round << ": " << shown;
  }
  EXPECT_GT(nr_found, 300u);
  EXPECT_GT(nr_needy, 100u);
}

// More matches than a chunk may keep: they come all the same.
TEST(ParallelSearch, ManyMatches) {
  Patterns patterns;
  ASSERT_FALSE(patterns.add({.text = "a", .syntax = PatternText::Syntax::literal}));
  ASSERT_FALSE(patterns.compile());
  const std::string bytes(200'000, 'a');
  std::uint64_t next = 5, nr = 0;
  ParallelSearch search{patterns,
                        16,
                        4,
                        [&](const Match& match) {
                          nr += match.address == next++ ? 1 : 0;
                          return Step::go;
                        },
                        {},
                        60'000};
  search.begin(5);
  ASSERT_EQ(search.feed(std::as_bytes(std::span{bytes})), Step::go);
  ASSERT_EQ(search.finish(), Step::go);
  EXPECT_EQ(nr, bytes.size());
}

// Where the first pages of a chunk are lost, its end counts. Where its last page is, too, the bytes at its end may
// still be read as the beginning of the chunk behind it: they are lost to both, and nobody sees some of them.
TEST(ParallelSearch, AChunkIsGoneOnFromWhereItsEndIsNotLost) {
  Patterns patterns;
  for (const char* expression : {"x{2,99}y", "\\Bxy"}) ASSERT_FALSE(patterns.add({.text = expression}));
  ASSERT_FALSE(patterns.compile());
  constexpr std::size_t capacity = 1 << 20;  // more than the searches of two chunks meet in
  const std::string first = std::string(capacity - 100, '.') + std::string(100, 'x');
  const std::string second = "xy xxy" + std::string(capacity - 6, '.');
  std::uint64_t room = 8 * capacity;
  const auto image_of = [&](const std::string& bytes, std::size_t end_bytes) {
    auto held = std::make_shared<HeldPages>(room);
    if (end_bytes < bytes.size()) held->want_end(end_bytes);
    else held->want_all();
    held->take(std::as_bytes(std::span{bytes}));
    return PagesImage{PagesImage::Part{.held = std::move(held)}, "p", smallest_page};
  };
  for (const std::size_t end_bytes : {capacity, capacity / 2, std::size_t{3000}}) {
    const bool is_lost = end_bytes < smallest_page;
    const PagesImage before = image_of(first, end_bytes), behind = image_of(second, capacity);
    std::vector<Found> all;
    std::size_t nr_errors = 0;
    ParallelSearch search{patterns,
                          4,
                          2,
                          [&](const Match& match) {
                            all.push_back(found_of(match));
                            return Step::go;
                          },
                          [&](const Error& error) { nr_errors += error.reason == Reason::limit_held; },
                          capacity};
    search.begin(0);
    for (const PagesImage* image : {&before, &behind}) {
      ASSERT_EQ(search.read(*image, 0, capacity), Step::go);
      ASSERT_EQ(search.feed_read(capacity), Step::go);
    }
    ASSERT_EQ(search.finish(), Step::go);
    EXPECT_EQ(nr_errors, (capacity - end_bytes + smallest_page - 1) / smallest_page);  // one for each page
    std::vector<Found> wanted{{capacity + 3, 3, 0, "xy ", "xxy", "...."}, {capacity + 4, 2, 1, "xy x", "xy", "...."}};
    if (!is_lost) {
      wanted[0].before = "xxy ";
      wanted.insert(wanted.begin(), {{capacity - 98, 100, 0, "..xx", std::string(99, 'x') + "y", " xxy"},
                                     {capacity, 2, 1, "xxxx", "xy", " xxy"}});
    }
    EXPECT_TRUE(all == wanted) << end_bytes;
  }
}
