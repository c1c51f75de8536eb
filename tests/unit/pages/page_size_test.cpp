// The size of pages by what pages images hold.
#include <gtest/gtest.h>

#include "unit/testing.hpp"
#include "pages/page_blocks.hpp"
#include "pages/page_size.hpp"

namespace critpipe {
namespace {

Pagemap with_pages(std::uint64_t nr_pages, std::uint64_t address = 0x10000) {
  return {.memory = {.shmem = false, .id = 7},
          .nr_present = nr_pages,
          .address_bits = address,
          .runs = {},
          .is_complete = true};
}

// An image of which nothing can be read.
PagesImage of_size(std::uint64_t bytes) { return {PagesImage::Part{.size = bytes}, "p", smallest_page}; }

std::uint64_t size_by(std::uint64_t nr_pages, std::uint64_t bytes, std::uint64_t address = 0x10000) {
  PageSizeByImages sizes;
  sizes.add(with_pages(nr_pages, address), of_size(bytes));
  return sizes.size();
}

TEST(PageSizeByImages, IsOneThatMachinesHave) {
  EXPECT_EQ(size_by(3, 3 * 4096), 4096u);
  EXPECT_EQ(size_by(3, 3 * 16384), 16384u);
  EXPECT_EQ(size_by(3, 3 * 65536), 65536u);
  EXPECT_EQ(size_by(3, 3 * 8192), 0u);
  EXPECT_EQ(size_by(3, 3 * 131072), 0u);
  EXPECT_EQ(size_by(3, 3 * 4096 + 1), 0u);
  EXPECT_EQ(size_by(0, 0), 0u);
}

TEST(PageSizeByImages, FitsToAddresses) {
  EXPECT_EQ(size_by(3, 3 * 16384, 0x4000), 16384u);
  EXPECT_EQ(size_by(3, 3 * 65536, 0x4000), 0u);
}

// One that is damaged tells nothing; those that say different things leave nothing.
TEST(PageSizeByImages, AllOfASetAgree) {
  PageSizeByImages sizes;
  EXPECT_EQ(sizes.size(), 0u);
  sizes.add(with_pages(5), of_size(5 * 65536 - 100));
  EXPECT_EQ(sizes.size(), 0u);
  sizes.add(with_pages(2), of_size(2 * 65536));
  EXPECT_EQ(sizes.size(), 65536u);
  sizes.add(with_pages(4), of_size(4 * 16384));
  EXPECT_EQ(sizes.size(), 0u);
}

TEST(PageSizeByImages, APagemapThatIsCutTellsNothing) {
  Pagemap pagemap = with_pages(1);
  pagemap.is_complete = false;
  PageSizeByImages sizes;
  sizes.add(pagemap, of_size(16384));
  EXPECT_EQ(sizes.size(), 0u);
}

// Blocks that cannot be read leave the sizes that they and the image fit to.
TEST(PageSizeByImages, BlocksThatCannotBeRead) {
  const auto size_by = [](std::uint32_t stored, std::uint32_t pages_per_block, std::uint64_t nr_plain) {
    auto layout = std::make_shared<PageLayout>();
    layout->parts = {{.page = 0, .nr_pages = 2, .entry = 1, .pages_per_block = pages_per_block}};
    if (nr_plain > 0) layout->parts.push_back({.page = 2, .nr_pages = nr_plain, .entry = 2, .first_block = 1});
    layout->sizes->append(stored);
    Pagemap pagemap = with_pages(2 + nr_plain);
    pagemap.layout = layout;
    PageSizeByImages sizes;
    Error error;
    sizes.add(pagemap, of_size(layout->place(65536, error)->size_bytes()));
    EXPECT_FALSE(error);
    return sizes.size();
  };
  EXPECT_EQ(size_by(4000, 2, 0), 0u);
  EXPECT_EQ(size_by(24448, 2, 0), 0u);
  EXPECT_EQ(size_by(40000, 2, 0), 65536u);
  EXPECT_EQ(size_by(4000, 2, 3), 65536u);
}

TEST(Pagemap, KnowsAnImageThatIsTooLong) {
  const Pagemap pagemap = with_pages(2);
  EXPECT_FALSE(pagemap.surplus({8192}, "p", 4096));
  EXPECT_FALSE(pagemap.surplus({100}, "p", 4096));
  EXPECT_EQ(to_string(pagemap.surplus({16384}, "p", 4096)),
            "p: 16384 bytes, but the entries of pagemap-7.img make up 8192: is another --page-size wanted?");
  EXPECT_EQ(to_string(pagemap.surplus({12288}, "p", 4096)),
            "p: 12288 bytes, but the entries of pagemap-7.img make up 8192");
  EXPECT_TRUE(pagemap.fits_larger_pages({16384}, 4096));
  EXPECT_FALSE(pagemap.fits_larger_pages({16384}, 8192));
  EXPECT_FALSE(pagemap.fits_larger_pages({12288}, 4096));
}

}  // namespace
}  // namespace critpipe
