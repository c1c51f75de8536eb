// The page size of a set as its pages images come: what is kept of them, and which sinks wait for it.
#include <gtest/gtest.h>

#include "critpipe/pages_writer.hpp"
#include "critpipe/source.hpp"
#include "model/page_size_of_set.hpp"
#include "pages/page_blocks.hpp"

namespace critpipe {
namespace {

constexpr std::uint64_t page = 65536;

// Pages of 64 KiB, each a block of its own: the first is zeros, the others compress.
struct Made {
  Pagemap pagemap;
  std::vector<std::byte> image;
};

Made make(std::uint64_t nr_pages) {
  Made made;
  auto layout = std::make_shared<PageLayout>();
  layout->parts = {{.page = 0, .nr_pages = nr_pages, .entry = 1, .pages_per_block = 1}};
  for (std::uint64_t i = 0; i < nr_pages; ++i) {
    std::vector<std::byte> content(page), room;
    for (std::size_t at = 0; at < content.size() && i > 0; ++at) content[at] = static_cast<std::byte>(at % (90 + i));
    const Bytes block = pack_block(content, room, 1);
    layout->sizes->append(static_cast<std::uint32_t>(block.size()));
    made.image.insert(made.image.end(), block.begin(), block.end());
  }
  made.pagemap = {.memory = {.shmem = false, .id = 7},
                  .pages_id = 1,
                  .nr_present = nr_pages,
                  .address_bits = page,
                  .runs = {},
                  .layout = layout,
                  .is_complete = true};
  return made;
}

struct Got final : Sink {
  explicit Got(std::vector<std::byte>& to) : bytes{to} {}
  Step entry(const Entry&) override { return Step::go; }
  Step pass_over(std::uint64_t) override { return Step::stop; }
  Step raw(Bytes piece) override {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return Step::go;
  }
  std::vector<std::byte>& bytes;
};

class PagesToTryTest : public ::testing::Test {
 protected:
  std::unique_ptr<Sink> sink_for(const Made& made, bool has_tasks = false) {
    const EarlyPageSize early{.pagemaps_of = [&made](std::uint64_t, const auto& visit) { visit(made.pagemap); },
                              .block_bytes = [this] { return block_bytes; },
                              .learned = [this](std::uint64_t size) { learned = size; }};
    return pages.sink_for(
        member, has_tasks, room,
        [this] {
          size_when_made = learned;
          return std::make_unique<Got>(got);
        },
        early);
  }
  static void feed(Sink& sink, Bytes image, std::size_t piece) {
    for (; !image.empty(); image = image.subspan(std::min(piece, image.size())))
      (void)sink.raw(image.first(std::min(piece, image.size())));
    (void)sink.end();
  }

  PagesToTryTest() { member.name = "pages-1.img"; }

  PagesToTry pages;
  RoomToTry room;
  Member member;
  std::optional<std::uint64_t> block_bytes, size_when_made;
  std::uint64_t learned = 0;
  std::vector<std::byte> got;
};

TEST_F(PagesToTryTest, ASinkWaitsForTheFirstBlock) {
  const Made made = make(5);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, made.image.size()}) {
    pages = {};
    const std::uint64_t left = room.left;
    learned = 0;
    got.clear();
    size_when_made.reset();
    const auto sink = sink_for(made);
    EXPECT_FALSE(size_when_made);
    EXPECT_EQ(sink->pass_over(made.image.size()), Step::stop);
    feed(*sink, made.image, piece);
    EXPECT_EQ(size_when_made, page) << piece;
    EXPECT_TRUE(got == made.image) << piece;
    EXPECT_TRUE(pages.is_certain());
    EXPECT_TRUE(piece == made.image.size() || left - room.left < made.image.size());  // no more is kept than it takes
  }
}

TEST_F(PagesToTryTest, WhatTheInventorySaysIsKnownAtOnce) {
  const Made made = make(5);
  block_bytes = page;
  const auto sink = sink_for(made);
  EXPECT_EQ(size_when_made, page);
  const std::uint64_t left = room.left;
  feed(*sink, made.image, 1000);
  EXPECT_TRUE(got == made.image);
  EXPECT_EQ(room.left, left);
}

TEST_F(PagesToTryTest, ADamagedBlockLeavesTheNextToTell) {
  Made made = make(5);
  std::fill_n(made.image.begin(), 8, std::byte{0xff});
  feed(*sink_for(made), made.image, 100);
  EXPECT_EQ(size_when_made, page);
  EXPECT_TRUE(got == made.image);
}

TEST_F(PagesToTryTest, NothingIsKeptThatNobodyAsksFor) {
  const Made made = make(5);
  const std::uint64_t left = room.left;
  feed(*sink_for(made, true), made.image, 1000);
  room.is_needed = false;
  feed(*sink_for(made), made.image, 1000);
  EXPECT_EQ(room.left, left);
  EXPECT_EQ(pages.stored_image(1), nullptr);
  EXPECT_EQ(learned, 0u);
}

// Then it decodes with what is usual, and whoever reads it says so.
TEST_F(PagesToTryTest, ASinkWaitsNoLongerThanThereIsRoom) {
  const Made made = make(5);
  room.left = 64;
  feed(*sink_for(made), made.image, 16);
  EXPECT_EQ(size_when_made, 0u);
  EXPECT_TRUE(got == made.image);
}

TEST_F(PagesToTryTest, TheLastByteEndsAllWaiting) {
  Made made = make(1);
  feed(*sink_for(made), made.image, 1000);
  EXPECT_EQ(size_when_made, 0u);
}

}  // namespace
}  // namespace critpipe
