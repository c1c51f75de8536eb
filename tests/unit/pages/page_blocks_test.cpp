// Pages in blocks: where they are, and how many reads they take.
#include "pages/page_blocks.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "critpipe/pages_writer.hpp"
#include "pages/page_content.hpp"

namespace critpipe {
namespace {

constexpr std::uint64_t page = smallest_page, pages_per_block = 2;

// Entries with blocks and plain ones between them. A block is packed, of zeros, or as it is.
class PageBlocks : public ::testing::Test {
 protected:
  PageBlocks() {
    add_blocks(7);
    add_plain(3);
    add_blocks(2 * pages_per_block * 100);
    add_plain(1);
    add_plain(5);
    add_blocks(1);
    Error error;
    blocks_ = layout_.place(page, error);
  }

  void add_plain(std::uint64_t nr_pages) {
    image_.resize((image_.size() + page - 1) / page * page);
    layout_.parts.push_back({.page = pages(), .nr_pages = nr_pages, .first_block = sizes().count(), .aligned = true});
    const std::vector<std::byte> bytes = text(nr_pages * page);
    image_.insert(image_.end(), bytes.begin(), bytes.end());
    content_.insert(content_.end(), bytes.begin(), bytes.end());
  }
  void add_blocks(std::uint64_t nr_pages) {
    layout_.parts.push_back({.page = pages(),
                             .nr_pages = nr_pages,
                             .first_block = sizes().count(),
                             .pages_per_block = static_cast<std::uint32_t>(pages_per_block)});
    for (std::uint64_t left = nr_pages; left > 0; left -= std::min(left, pages_per_block)) {
      const std::size_t size = std::min(left, pages_per_block) * page;
      const bool is_zero = sizes().count() % 3 == 1, is_raw = sizes().count() % 5 == 2;
      const std::vector<std::byte> bytes = is_zero ? std::vector<std::byte>(size) : text(size);
      std::vector<std::byte> room;
      const Bytes stored = is_raw ? Bytes{bytes} : pack_block(bytes, room, 1);
      sizes().append(static_cast<std::uint32_t>(stored.size()));
      image_.insert(image_.end(), stored.begin(), stored.end());
      content_.insert(content_.end(), bytes.begin(), bytes.end());
    }
  }
  std::uint64_t pages() const { return content_.size() / page; }
  BlockSizes& sizes() { return *layout_.sizes; }
  std::vector<std::byte> text(std::size_t size) {
    std::vector<std::byte> bytes(size, static_cast<std::byte>(++last_));
    for (std::size_t i = 0; i < size; i += 50) bytes[i] = static_cast<std::byte>(i / 50);
    return bytes;
  }
  // Reads bytes of the content, as if the image ended, or could not be read, at an offset.
  std::size_t read(std::uint64_t position, std::uint64_t size, std::uint64_t end, Error& error, bool fails = false) {
    const ReadStored read = [&](std::span<std::byte> stored, std::uint64_t offset, Error& why) {
      ++nr_reads_;
      const std::size_t got = std::min<std::uint64_t>(stored.size(), end - std::min(end, offset));
      std::memcpy(stored.data(), image_.data() + std::min<std::uint64_t>(offset, image_.size()), got);
      if (fails && got < stored.size()) why = {Reason::io_read};
      return got;
    };
    into_.assign(size, std::byte{0xee});
    std::size_t done = 0;
    error = read_content(blocks_.get(), 0, position, into_, read, done);
    return done;
  }
  bool is_right(std::uint64_t position, std::size_t done) const {
    return std::memcmp(into_.data(), content_.data() + position, done) == 0;
  }

  PageLayout layout_;
  std::shared_ptr<const StoredPages> blocks_;
  std::vector<std::byte> image_, content_, into_;
  unsigned last_ = 0, nr_reads_ = 0;
};

TEST_F(PageBlocks, AWalkComesToEachBlockWhereItIs) {
  ASSERT_TRUE(blocks_);
  ASSERT_EQ(blocks_->size_bytes(), image_.size());
  std::uint64_t next = 0;
  StoredPages::Walk walk{*blocks_, 0};
  for (; walk->nr_pages > 0; walk.next()) {
    EXPECT_EQ(walk->page, next);
    const StoredPages::Block last = blocks_->block_of(walk->page + walk->nr_pages - 1);
    EXPECT_EQ(last.offset + last.size, walk->offset + walk->size);
    EXPECT_EQ(last.is_plain, walk->is_plain);
    if (!walk->is_plain) {
      EXPECT_EQ(last.page, walk->page);
      EXPECT_EQ(last.nr_pages, walk->nr_pages);
    }
    next += walk->nr_pages;
  }
  EXPECT_EQ(next, pages());
  EXPECT_EQ(walk->page, pages());
  EXPECT_EQ(walk->offset, image_.size());
  walk.next();
  EXPECT_EQ(walk->nr_pages, 0u);
}

TEST_F(PageBlocks, NeighboursAreReadAtOnce) {
  Error error;
  // The blocks behind the first plain pages: two halves, and all between them.
  const std::uint64_t begin = 11 * page, size = 60 * page;
  EXPECT_EQ(read(begin, size, image_.size(), error), size);
  EXPECT_FALSE(error);
  EXPECT_TRUE(is_right(begin, size));
  EXPECT_EQ(nr_reads_, 1u);
}

TEST_F(PageBlocks, AnyBytesAreThoseOfTheContent) {
  for (std::uint64_t position = 0; position < content_.size(); position += 9001)
    for (const std::uint64_t size : {std::uint64_t{1}, 3 * page, 33 * page + 7, content_.size()}) {
      const std::uint64_t there = std::min(size, content_.size() - position);
      Error error;
      EXPECT_EQ(read(position, size, image_.size(), error), there);
      EXPECT_FALSE(error);
      EXPECT_TRUE(is_right(position, there));
    }
}

// What is whole before the end counts, and so it is for what cannot be read.
TEST_F(PageBlocks, BlocksBeforeTheEndOfTheImageAreRead) {
  const std::uint64_t begin = 10 * page, size = 60 * page;
  for (std::uint64_t end = blocks_->block_of(10).offset; end < blocks_->block_of(70).offset; end += 997)
    for (const bool fails : {false, true}) {
      Error error;
      const std::size_t done = read(begin, size, end, error, fails);
      EXPECT_EQ(error.reason, fails ? Reason::io_read : Reason::none);
      ASSERT_LT(done, size);
      const StoredPages::Block lost = blocks_->block_of((begin + done) / page);
      EXPECT_EQ(begin + done, lost.page * page);
      EXPECT_GT(lost.offset + lost.size, end);
      EXPECT_LE(lost.offset, end);
      EXPECT_TRUE(is_right(begin, done));
    }
}

}  // namespace
}  // namespace critpipe
