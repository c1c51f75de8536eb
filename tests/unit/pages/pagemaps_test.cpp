// Pagemaps and the pages images that they name.
#include <gtest/gtest.h>

#include "unit/testing.hpp"
#include "pages/page_blocks.hpp"
#include "pages/page_content.hpp"
#include "pages/pagemaps.hpp"

namespace critpipe {
namespace {

using namespace testing;

class PagemapsTest : public ::testing::Test {
 protected:
  // Loads what names the image; `more`: entries behind the head.
  void load(MemoryId memory, std::uint64_t pages_id, const std::string& more = {}) {
    const auto sink = pagemaps_.load(memory, [](const Error& error) { ADD_FAILURE() << to_string(error); });
    const std::string image =
        head("PAGEMAP") + entry("pagemap_head", "{'pages_id': " + std::to_string(pages_id) + "}") + more;
    Decoder decoder{*sink, pagemap_name(memory)};
    ASSERT_EQ(decoder.feed(view(image)), Step::go);
    ASSERT_EQ(decoder.finish(), Step::go);
  }
  std::vector<std::uint64_t> naming(std::uint64_t pages_id) const {
    std::vector<std::uint64_t> ids;
    for (const Pagemap& pagemap : pagemaps_.index().of(pages_id)) ids.push_back(pagemap.memory.id);
    return ids;
  }

  Pagemaps pagemaps_;
};

using Ids = std::vector<std::uint64_t>;

TEST_F(PagemapsTest, AreFoundByTheImageThatTheyName) {
  load({false, 7}, 1);
  load({false, 5}, 1);
  load({true, 3}, ~std::uint32_t{0});
  load({false, 9}, 2);
  EXPECT_EQ(naming(1), (Ids{5, 7}));
  EXPECT_EQ(naming(~std::uint32_t{0}), (Ids{3}));
  EXPECT_TRUE(pagemaps_.index().has_several(1));
  EXPECT_FALSE(pagemaps_.index().has_several(2));
  EXPECT_TRUE(pagemaps_.index().has_any(2));
  EXPECT_FALSE(pagemaps_.index().has_any(0));
  EXPECT_TRUE(naming(~std::uint64_t{0}).empty());

  load({false, 7}, 2);  // the same name twice: the later one counts
  EXPECT_EQ(naming(1), (Ids{5}));
  EXPECT_EQ(naming(2), (Ids{7, 9}));
  pagemaps_.erase({false, 9});
  pagemaps_.erase({false, 9});
  EXPECT_EQ(naming(2), (Ids{7}));
  EXPECT_EQ(pagemaps_.find({false, 9}), nullptr);
}

// Before its head has come, it names none.
TEST_F(PagemapsTest, NameNothingWithoutAHead) {
  const auto sink = pagemaps_.load({false, 7}, [](const Error&) {});
  EXPECT_NE(pagemaps_.find({false, 7}), nullptr);
  EXPECT_FALSE(pagemaps_.index().has_any(0));
}

// Two blocks of one page each: 9 bytes, and zeros.
std::string two_blocks() {
  return entry("pagemap_entry",
               "{'vaddr': 65536, 'compat_nr_pages': 0, 'nr_pages': 2, 'flags': 4, 'blocks': "
               "{'block_sizes': [9, 0], 'total_payload_size': 9, 'pages_per_block': 1}}");
}

TEST_F(PagemapsTest, OneOfThemTellsTheBlocks) {
  load({false, 1}, 4);
  Error error;
  EXPECT_EQ(pagemaps_.index().blocks_of(4, 4096, error), nullptr);
  load({false, 2}, 4, two_blocks());
  load({false, 3}, 4);
  const auto blocks = pagemaps_.index().blocks_of(4, 4096, error);
  EXPECT_FALSE(error) << to_string(error);
  ASSERT_TRUE(blocks);
  EXPECT_EQ(blocks->size_bytes(), 9u);
  EXPECT_EQ(pagemaps_.index().blocks_of(3, 4096, error), nullptr);
  load({false, 2}, 3);
  EXPECT_EQ(pagemaps_.index().blocks_of(4, 4096, error), nullptr);
}

TEST_F(PagemapsTest, PagesThatCameBeforeTheirPagemap) {
  load({false, 1}, 4);
  EXPECT_FALSE(pagemaps_.index().came_before(4, 4096, nullptr, "pages-4.img"));
  load({false, 2}, 4, two_blocks());
  const Error late = pagemaps_.index().came_before(4, 4096, nullptr, "pages-4.img");
  EXPECT_EQ(late.reason, Reason::limit_late_pagemap);
  EXPECT_EQ(late.name, "pagemap-2.img");
  Error error;
  const auto blocks = pagemaps_.index().blocks_of(4, 4096, error);
  EXPECT_FALSE(pagemaps_.index().came_before(4, 4096, blocks.get(), "pages-4.img"));
  EXPECT_TRUE(pagemaps_.index().came_before(4, 16384, blocks.get(), "pages-4.img"));
}

TEST_F(PagemapsTest, PagesMayBeLarger) {
  const std::string page = entry("pagemap_entry", "{'vaddr': 65536, 'compat_nr_pages': 1, 'flags': 4}");
  load({false, 1}, 4, page);
  EXPECT_FALSE(pagemaps_.index().larger_pages(3, {8192}, "", 4096));
  EXPECT_FALSE(pagemaps_.index().larger_pages(4, {4096}, "", 4096));
  EXPECT_FALSE(pagemaps_.index().larger_pages(4, {12288}, "", 4096));
  EXPECT_TRUE(pagemaps_.index().larger_pages(4, {8192}, "", 4096));
  load({false, 2}, 4, page);  // the other half may be its page
  EXPECT_FALSE(pagemaps_.index().larger_pages(4, {8192}, "", 4096));
}

// How much of the content is there, whether it is stored plain or in blocks, and the error of what is missing.
TEST_F(PagemapsTest, ContentOfACutImage) {
  load({false, 1}, 4, entry("pagemap_entry", "{'vaddr': 65536, 'compat_nr_pages': 2, 'flags': 4}"));
  EXPECT_EQ(pagemaps_.find({false, 1})->content_bytes_in({5000}, 4096), 5000u);
  load({false, 2}, 5, two_blocks());
  const Pagemap& pagemap = *pagemaps_.find({false, 2});
  EXPECT_EQ(pagemap.content_bytes_in({8}, 4096), 0u);
  EXPECT_EQ(pagemap.content_bytes_in({9}, 4096), 8192u);
  EXPECT_EQ(pagemap.address_bits, 65536u);
  Error error;
  const auto blocks = pagemap.blocks(4096, error);
  EXPECT_EQ(to_string(cut_content(blocks.get(), "p", 0, 8, 0, 100)),
            "p: offset 0: pages image cut short: need 9 bytes, have 8");
  EXPECT_EQ(to_string(cut_content(nullptr, "p", 50, 50, 20, 100)),
            "p: offset 50: pages image cut short: need 100 bytes, have 30");
}

// Each block is found, whatever stands before it.
TEST(BlockSizes, AreSummedUpToAnyOfThem) {
  BlockSizes sizes;
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < 300; ++i) sizes.append(i * i);
  EXPECT_EQ(sizes.count(), 300u);
  for (std::uint32_t i = 0; i < 300; ++i) {
    EXPECT_EQ(sizes[i], i * i);
    EXPECT_EQ(sizes.sum_before(i), sum);
    sum += i * i;
  }
  EXPECT_EQ(sizes.sum(), sum);
  EXPECT_EQ(sizes.sum_before(300), sum);
  BlockSizes::At at = sizes.at(298);
  EXPECT_EQ(at.size(), 298u * 298);
  at.next();
  EXPECT_EQ(at.size(), 299u * 299);
  for (int i = 0; i < 2; ++i) {
    at.next();
    EXPECT_EQ(at.size(), 0u);
    EXPECT_EQ(at.sum(), sum);
  }
}

// Addresses of 32-bit x86 may be sign-extended.
TEST_F(PagemapsTest, SignsOfAddressesAreLeftOut) {
  load({false, 2}, 4, entry("pagemap_entry", "{'vaddr': 18446744073692774400, 'compat_nr_pages': 1}"));
  load({false, 3}, 5, entry("pagemap_entry", "{'vaddr': 140737488351232, 'compat_nr_pages': 1}"));
  EXPECT_EQ(pagemaps_.find({false, 2})->runs.at(0).vaddr, 0xff000000u);
  EXPECT_EQ(pagemaps_.find({false, 3})->runs.at(0).vaddr, 0x7ffffffff000u);
}

using Parts = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

Parts parts_of(const StoredPages* blocks, std::uint64_t position, std::uint64_t size) {
  Parts parts;
  visit_stored(blocks, position, size, [&](std::uint64_t offset, std::uint64_t length) {
    parts.emplace_back(offset, length);
    return true;
  });
  return parts;
}

// What has to be kept of a stream for bytes of the content: blocks as a whole, of plain pages no more than is wanted.
TEST_F(PagemapsTest, BytesOfTheContentAreInPartsOfTheImage) {
  EXPECT_EQ(parts_of(nullptr, 5000, 300), (Parts{{5000, 300}}));
  load({false, 2}, 4, entry("pagemap_entry", "{'vaddr': 4096, 'compat_nr_pages': 3, 'flags': 4}") + two_blocks());
  Error error;
  const auto blocks = pagemaps_.index().blocks_of(4, 4096, error);
  ASSERT_TRUE(blocks) << to_string(error);
  EXPECT_EQ(parts_of(blocks.get(), 5000, 300), (Parts{{5000, 300}}));
  EXPECT_EQ(parts_of(blocks.get(), 12000, 1000), (Parts{{12000, 288}, {12288, 9}}));
  EXPECT_EQ(parts_of(blocks.get(), 13000, 4000), (Parts{{12288, 9}, {12297, 0}}));
  EXPECT_FALSE(visit_stored(blocks.get(), 5 * 4096, 1, [](std::uint64_t, std::uint64_t) { return true; }));

  // The plain pages and the zeros are read; the bytes of the block are none.
  std::size_t done = 0;
  std::vector<std::byte> into(4096);
  const ReadStored read = [](std::span<std::byte> stored, std::uint64_t offset, Error&) {
    std::ranges::fill(stored, static_cast<std::byte>(offset >> 12));
    return stored.size();
  };
  EXPECT_FALSE(read_content(blocks.get(), 0, 2 * 4096, into, read, done));
  EXPECT_EQ(into[0], std::byte{2});
  EXPECT_FALSE(read_content(blocks.get(), 0, 4 * 4096, into, read, done));
  EXPECT_EQ(into, std::vector<std::byte>(4096));
  error = read_content(blocks.get(), 0, 3 * 4096, into, read, done);
  EXPECT_EQ(error.reason, Reason::bad_block);
  EXPECT_EQ(error.offset, 12288u);
}

}  // namespace
}  // namespace critpipe
