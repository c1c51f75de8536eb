// Damaged blocks, and the pages beside them.
#include <gtest/gtest.h>

#include <set>

#include "pages/held_pages.hpp"
#include "pages/page_blocks.hpp"

namespace critpipe {
namespace {

constexpr std::uint64_t page = smallest_page, pages_per_block = 2, nr_blocks = 4;

// Blocks that are stored as they are, of which some are too short for that and no LZ4.
struct Made {
  std::shared_ptr<const StoredPages> blocks;
  std::vector<std::byte> image, content;
};

Made make(const std::set<std::uint64_t>& lost) {
  Made made;
  PageLayout layout;
  layout.parts = {{.page = 0, .nr_pages = nr_blocks * pages_per_block, .entry = 1, .pages_per_block = pages_per_block}};
  for (std::uint64_t i = 0; i < nr_blocks; ++i) {
    const std::size_t size = pages_per_block * page - lost.contains(i);
    layout.sizes->append(static_cast<std::uint32_t>(size));
    made.image.insert(made.image.end(), size, static_cast<std::byte>(0xf0 + i));
    made.content.insert(made.content.end(), pages_per_block * page, static_cast<std::byte>(0xf0 + i));
  }
  Error error;
  made.blocks = layout.place(page, error);
  return made;
}

using Parts = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

TEST(LostBlocks, ReadingByPositionGoesOnBehindThem) {
  const Made made = make({1, 3});
  std::uint64_t room = made.image.size();
  const auto held = std::make_shared<HeldPages>(room);
  held->want_all();
  held->take(made.image);
  const PagesImage image{{.held = held}, "pages-1.img", page, made.blocks};
  const std::uint64_t begin = page / 2, size = 7 * page;
  std::vector<std::byte> into(size);
  Parts parts;
  image.read_content(begin, into, [&](std::size_t from, std::size_t to, const Error& error) {
    EXPECT_EQ(error.reason, Reason::bad_block);
    EXPECT_EQ(error.image, "pages-1.img");
    parts.emplace_back(begin + from, begin + to);
  });
  EXPECT_EQ(parts, (Parts{{2 * page, 4 * page}, {6 * page, begin + size}}));
  for (const auto& [from, to] : Parts{{begin, 2 * page}, {4 * page, 6 * page}})
    EXPECT_TRUE(std::equal(into.begin() + static_cast<std::ptrdiff_t>(from - begin),
                           into.begin() + static_cast<std::ptrdiff_t>(to - begin),
                           made.content.begin() + static_cast<std::ptrdiff_t>(from)));
}

TEST(LostBlocks, TheRestOfAnImageThatIsCutIsOnePart) {
  const Made made = make({});
  std::uint64_t room = made.image.size();
  const auto held = std::make_shared<HeldPages>(room);
  held->want_all();
  held->take(Bytes{made.image}.first(5 * page));
  const PagesImage image{{.held = held}, "pages-1.img", page, made.blocks};
  std::vector<std::byte> into(8 * page);
  Parts parts;
  image.read_content(0, into, [&](std::size_t from, std::size_t to, const Error& error) {
    EXPECT_EQ(error.reason, Reason::cut_pages);
    parts.emplace_back(from, to);
  });
  EXPECT_EQ(parts, (Parts{{4 * page, 8 * page}}));
}

class Stream final : public PagesSink {
 public:
  Parts parts;  // that came
  int nr_refused = 0;
  bool is_done = false;

 protected:
  void refused(const Error&) override { ++nr_refused; }
  Step pages(std::uint64_t first, Bytes bytes) override {
    const std::uint64_t begin = content_position(first, smallest_page);
    if (!parts.empty() && parts.back().second == begin) parts.back().second += bytes.size();
    else parts.emplace_back(begin, begin + bytes.size());
    return Step::go;
  }
  Step done(std::uint64_t size_bytes) override {
    is_done = size_bytes == nr_blocks * pages_per_block * page;
    return Step::go;
  }
};

TEST(LostBlocks, AStreamGoesOnBehindThem) {
  const Made made = make({0, 2});
  for (const std::size_t piece : {std::size_t{100}, std::size_t{5000}, made.image.size()}) {
    Stream stream;
    stream.stored_as(made.blocks);
    for (Bytes rest{made.image}; !rest.empty(); rest = rest.subspan(std::min(piece, rest.size())))
      EXPECT_EQ(stream.raw(rest.first(std::min(piece, rest.size()))), Step::go);
    EXPECT_EQ(stream.end(), Step::go);
    EXPECT_EQ(stream.parts, (Parts{{2 * page, 4 * page}, {6 * page, 8 * page}}));
    EXPECT_EQ(stream.nr_refused, 2);
    EXPECT_TRUE(stream.is_done);
  }
}

}  // namespace
}  // namespace critpipe
