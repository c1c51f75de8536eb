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

std::uint64_t size_by(std::uint64_t nr_pages, std::uint64_t bytes, std::uint64_t address = 0x10000) {
  PageSizeByImages sizes;
  sizes.add(with_pages(nr_pages, address), {bytes});
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
  sizes.add(with_pages(5), {5 * 65536 - 100});
  EXPECT_EQ(sizes.size(), 0u);
  sizes.add(with_pages(2), {2 * 65536});
  EXPECT_EQ(sizes.size(), 65536u);
  sizes.add(with_pages(4), {4 * 16384});
  EXPECT_EQ(sizes.size(), 0u);
}

TEST(PageSizeByImages, APagemapThatIsCutTellsNothing) {
  Pagemap pagemap = with_pages(1);
  pagemap.is_complete = false;
  PageSizeByImages sizes;
  sizes.add(pagemap, {16384});
  EXPECT_EQ(sizes.size(), 0u);
}

TEST(PageSizeByImages, BlocksThatCannotBeReadTellNothing) {
  Pagemap pagemap = with_pages(1);
  pagemap.layout = std::make_shared<PageLayout>();
  PageSizeByImages sizes;
  sizes.add(pagemap, {4096});
  EXPECT_EQ(sizes.size(), 0u);
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
