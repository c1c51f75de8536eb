// Facts of pages: every way to scan that works here says what the plain loop says.
#include "survey/distinct_pages.hpp"
#include "survey/page_facts.hpp"

#include <algorithm>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

namespace critpipe {
namespace {

using Page = std::vector<std::byte>;

std::vector<Page> pages_of_all_sorts() {
  std::mt19937_64 random{7};
  const Page zero(smallest_page);
  std::vector<Page> pages{zero, Page(smallest_page, std::byte{0xff}), Page(smallest_page, std::byte{'a'})};
  for (const std::size_t at : {0u, 1u, 31u, 32u, 63u, 64u, 511u, 512u, 2048u, 4032u, 4094u, 4095u}) {
    pages.push_back(zero);
    pages.back()[at] = std::byte{0x80};
  }
  for (int i = 0; i < 64; ++i) {
    Page& page = pages.emplace_back(zero);
    const std::uint64_t keep = random();  // bits that are set at times: from sparse pages to noise
    const std::size_t words = random() % (smallest_page / 8 + 1);
    for (std::size_t word = 0; word < words; ++word) {
      const std::uint64_t value = i % 3 == 0 ? 0x7f0000000000 + (random() & 0xfffff8) : random() & keep;
      std::memcpy(page.data() + 8 * word, &value, 8);
    }
  }
  return pages;
}

TEST(PageFacts, AllScannersAgreeWithThePlainLoop) {
  const std::vector<Page> pages = pages_of_all_sorts();
  std::vector<std::byte> bytes(1);  // pages at odd addresses
  for (const Page& page : pages) bytes.insert(bytes.end(), page.begin(), page.end());
  const PageScanner& plain = all_page_scanners().back();
  ASSERT_EQ(plain.name, "plain");
  std::vector<PageFact> wanted(pages.size());
  plain.scan(bytes.data() + 1, pages.size(), wanted.data(), hash_secret());
  for (const PageScanner& scanner : all_page_scanners()) {
    if (!scanner.works_here()) continue;
    std::vector<PageFact> facts(pages.size());
    scanner.scan(bytes.data() + 1, pages.size(), facts.data(), hash_secret());
    for (std::size_t i = 0; i < pages.size(); ++i) {
      EXPECT_TRUE(facts[i].same_as(wanted[i])) << scanner.name << " page " << i;
      EXPECT_EQ(facts[i].page_class, wanted[i].page_class) << scanner.name << " page " << i;
    }
  }
}

TEST(PageFacts, OnlyZeroIsZeroAndOnlyEqualPagesAreEqual) {
  const std::vector<Page> pages = pages_of_all_sorts();
  std::vector<PageFact> facts(pages.size());
  for (std::size_t i = 0; i < pages.size(); ++i) scan_pages(pages[i], &facts[i]);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const bool is_zero = std::ranges::all_of(pages[i], [](std::byte byte) { return byte == std::byte{0}; });
    EXPECT_EQ(facts[i].is_zero(), is_zero) << "page " << i;
    for (std::size_t k = 0; k < i; ++k) EXPECT_EQ(facts[i].same_as(facts[k]), pages[i] == pages[k]) << i << ' ' << k;
  }
}

// The same pages under another secret have other hashes, so none can be made up beforehand that agree.
TEST(PageFacts, HashesAreKeyed) {
  const std::vector<Page> pages = pages_of_all_sorts();
  HashSecret other = hash_secret();
  for (unsigned char& byte : other) byte = static_cast<unsigned char>(byte ^ 0x5a);
  for (const PageScanner& scanner : all_page_scanners()) {
    if (!scanner.works_here()) continue;
    for (const Page& page : pages) {
      PageFact fact, with_other;
      scanner.scan(page.data(), 1, &fact, hash_secret());
      scanner.scan(page.data(), 1, &with_other, other);
      EXPECT_EQ(fact.is_zero(), with_other.is_zero());
      EXPECT_EQ(fact.same_as(with_other), fact.is_zero()) << scanner.name;
    }
  }
}

TEST(DistinctPages, CountsMembersAndSetsByThemselves) {
  std::vector<PageFact> facts(3);
  for (std::size_t i = 0; i < facts.size(); ++i) facts[i] = {i + 1, 1, PageClass::data, {}};
  DistinctPages pages;
  pages.begin_set();
  pages.begin_member();
  pages.add(facts);
  pages.add(facts);
  EXPECT_EQ(pages.member().pages, 3u);
  pages.begin_member();
  pages.add(std::span{facts}.first(2));
  EXPECT_EQ(pages.member().pages, 2u);
  EXPECT_EQ(pages.member().shared, 2u);
  EXPECT_EQ(pages.set().pages, 3u);
  pages.begin_set();
  pages.begin_member();
  pages.add(std::span{facts}.first(1));
  EXPECT_EQ(pages.set().pages, 1u);
  EXPECT_EQ(pages.in_all().pages, 3u);
  EXPECT_TRUE(pages.in_all().exact);
}

// Over the budget what was counted goes on as an estimate, also of a member that began before.
TEST(DistinctPages, EstimatesOverTheBudget) {
  std::mt19937_64 random{3};
  std::vector<PageFact> facts(20'000);
  for (PageFact& fact : facts) fact = {random(), static_cast<std::uint32_t>(random()), PageClass::data, {}};
  DistinctPages pages{64 << 10};
  pages.begin_set();
  pages.begin_member();
  for (std::size_t at = 0; at < facts.size(); at += 100) pages.add(std::span{facts}.subspan(at, 100));
  EXPECT_FALSE(pages.member().exact);
  for (const auto& count : {pages.member(), pages.set(), pages.in_all()})
    EXPECT_NEAR(static_cast<double>(count.pages), 20'000, 20'000 * 5 * distinct_error());
  pages.begin_member();
  EXPECT_EQ(pages.member().pages, 0u);
}

TEST(PageFacts, HolesAreKnownToBeZeroAtOnce) {
  constexpr std::uint64_t chunk = PageFacts::Chunks::chunk_pages;
  constexpr std::uint64_t nr_pages = std::uint64_t{1} << 43;
  PageFacts facts;
  facts.chunks().grow(nr_pages);
  facts.chunks().chunk(5, 8)[7] = {1, 2, PageClass::data, {}};
  EXPECT_EQ(facts.nr_zero(3, smallest_page), 5 * chunk - 3);
  EXPECT_EQ(facts.nr_zero(5 * chunk, smallest_page), 0u);
  EXPECT_EQ(facts.nr_zero(6 * chunk, smallest_page), nr_pages - 6 * chunk);
  EXPECT_EQ(facts.nr_zero(3, 8 * smallest_page), 5 * chunk / 8 - 3);
  EXPECT_EQ(facts.nr_zero(nr_pages, smallest_page), 0u);
  EXPECT_TRUE(facts.page(5 * chunk + 6, smallest_page).is_zero());
  EXPECT_EQ(facts.page(5 * chunk + 7, smallest_page).low, 1u);
  EXPECT_FALSE(facts.page(5 * chunk / 8, 8 * smallest_page).is_zero());
  EXPECT_TRUE(facts.page(6 * chunk - 1, smallest_page).is_zero());
  EXPECT_TRUE(facts.page(nr_pages - 1, smallest_page).is_zero());
}

TEST(PageFacts, WhatIsLostIsNotZero) {
  PageFacts facts;
  facts.chunks().grow(100);
  facts.chunks().lose(20, 24);
  facts.chunks().lose(30, 32);
  facts.chunks().lose(24, 30);
  EXPECT_EQ(facts.nr_zero(3, smallest_page), 17u);
  EXPECT_EQ(facts.nr_zero(20, smallest_page), 0u);
  EXPECT_EQ(facts.nr_zero(32, smallest_page), 68u);
  EXPECT_EQ(facts.nr_zero(0, 8 * smallest_page), 2u);
  for (const std::uint64_t page : {20u, 25u, 31u}) EXPECT_TRUE(facts.page(page, smallest_page).is_lost) << page;
  for (const std::uint64_t page : {19u, 32u}) EXPECT_TRUE(facts.page(page, smallest_page).is_zero()) << page;
  EXPECT_TRUE(facts.page(2, 8 * smallest_page).is_lost);
  EXPECT_TRUE(facts.page(4, 8 * smallest_page).is_zero());
  EXPECT_FALSE(facts.page(20, smallest_page).same_as(facts.page(21, smallest_page)));
}

}  // namespace
}  // namespace critpipe
