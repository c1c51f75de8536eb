// What is kept of pages images that come by once.
#include <gtest/gtest.h>

#include "pages/held_pages.hpp"

namespace critpipe {
namespace {

constexpr std::uint64_t page = 4096;

// Bytes that say where they are.
std::vector<std::byte> image_of(std::uint64_t nr_pages) {
  std::vector<std::byte> bytes(nr_pages * page);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 31 >> 3);
  return bytes;
}

void feed(HeldPages& held, Bytes image, std::size_t piece) {
  for (; !image.empty() && !held.has_enough(); image = image.subspan(std::min(piece, image.size())))
    held.take(image.first(std::min(piece, image.size())));
}

bool is_kept(const HeldPages& held, Bytes image, std::uint64_t offset, std::size_t size, Reason* reason = nullptr) {
  std::vector<std::byte> into(size);
  Error error;
  const std::size_t got = held.read(into, offset, error);
  if (reason) *reason = error.reason;
  return got == size && std::ranges::equal(into, image.subspan(offset, size));
}

TEST(HeldPages, KeepsTheBytesAtAddressesAndNoOthers) {
  const std::vector<std::byte> image = image_of(64);
  const PageRun runs[] = {{0x10000, 60, 0, PageRun::present}, {0x90000, 4, 60, PageRun::present}};
  for (const std::size_t piece : {1000u, 4096u, 300000u}) {
    std::uint64_t room = 10000;
    HeldPages held{room};
    EXPECT_TRUE(held.want(runs, nullptr, page, 0x12ff0, 0x13010));
    EXPECT_TRUE(held.want(runs, nullptr, page, 0x13000, 0x13020));  // touches it
    EXPECT_TRUE(held.want(runs, nullptr, page, 0x4b000, 0x90100));  // across what no run has
    feed(held, image, piece);
    EXPECT_TRUE(held.has_enough());
    EXPECT_FALSE(held.lacks_room());
    EXPECT_EQ(room, 10000u - 0x30 - page - 0x100);
    EXPECT_TRUE(is_kept(held, image, 0x2ff0, 0x30));
    EXPECT_TRUE(is_kept(held, image, 60 * page, 0x100));
    Reason reason = Reason::none;
    EXPECT_FALSE(is_kept(held, image, 0x2ff0, 0x31, &reason));
    EXPECT_EQ(reason, Reason::limit_held);
    EXPECT_FALSE(is_kept(held, image, 0x2fe0, 8, &reason));
    EXPECT_EQ(reason, Reason::limit_held);
  }
}

// A pagemap may say that the same addresses are in many places.
TEST(HeldPages, KeepsNoMoreThanTheRangeHas) {
  std::vector<PageRun> runs;
  for (std::uint64_t i = 0; i < 1000; ++i) runs.push_back({0x10000, 1, i, PageRun::present});
  std::uint64_t room = 1 << 20;
  HeldPages held{room};
  EXPECT_TRUE(held.want(runs, nullptr, page, 0x10000, 0x10000 + page));
  feed(held, image_of(1000), 100000);
  EXPECT_EQ(room, (1u << 20) - page);
}

TEST(HeldPages, SaysWhenTheRoomIsNotEnough) {
  const std::vector<std::byte> image = image_of(8);
  std::uint64_t room = 3 * page;
  HeldPages held{room};
  held.want_all();
  feed(held, image, page);
  EXPECT_TRUE(held.lacks_room());
  EXPECT_TRUE(held.has_enough());
  EXPECT_EQ(room, 0u);
}

TEST(HeldPages, KeepsTheEnd) {
  const std::vector<std::byte> image = image_of(100);
  for (const std::size_t piece : {77u, 4096u, 500000u}) {
    std::uint64_t room = 1 << 20;
    HeldPages held{room};
    held.want_end(10000);
    feed(held, image, piece);
    EXPECT_EQ(room, (1u << 20) - 10000);
    EXPECT_TRUE(is_kept(held, image, image.size() - 10000, 10000));
    EXPECT_FALSE(is_kept(held, image, image.size() - 10001, 5));
  }
}

// An image that ends before what is wanted is cut, and nothing was left out of it.
TEST(HeldPages, TheEndOfAnImageIsNoLimit) {
  const std::vector<std::byte> image = image_of(4);
  const PageRun runs[] = {{0x10000, 8, 0, PageRun::present}};
  std::uint64_t room = 1 << 20;
  HeldPages held{room};
  EXPECT_TRUE(held.want(runs, nullptr, page, 0x13000, 0x16000));
  feed(held, image, 1000);
  Error error;
  std::vector<std::byte> into(3 * page);
  EXPECT_EQ(held.read(into, 3 * page, error), page);
  EXPECT_FALSE(error);
}

}  // namespace
}  // namespace critpipe
