// Bytes of pipes, in pieces.
#include <gtest/gtest.h>

#include <numeric>

#include "pages/held_bytes.hpp"

namespace critpipe {
namespace {

std::vector<std::byte> some(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

TEST(HeldBytes, KeepsWhatCameAndNothingElse) {
  const std::vector<std::byte> all = some(9'000'001);
  HeldBytes held;
  std::size_t done = 0;
  for (std::size_t size = 1; done < all.size(); size = size * 3 % 70'001 + 1) {
    const std::size_t here = std::min(size, all.size() - done);
    held.append(Bytes{all}.subspan(done, here));
    done += here;
  }
  EXPECT_EQ(held.size(), all.size());
  std::vector<std::byte> joined;
  std::size_t room = 0;
  for (const auto& piece : held.pieces()) {
    EXPECT_EQ(joined.size() % smallest_page, 0u);
    joined.insert(joined.end(), piece.begin(), piece.end());
    room += piece.capacity();
  }
  EXPECT_EQ(joined, all);
  EXPECT_LT(room, all.size() + (1 << 20) + smallest_page);
}

TEST(HeldBytes, AFewPagesTakeTheRoomOfAFewPages) {
  HeldBytes held;
  held.append(some(smallest_page));
  ASSERT_EQ(held.pieces().size(), 1u);
  EXPECT_EQ(held.pieces().front().capacity(), smallest_page);
  held.append({});
  EXPECT_EQ(held.pieces().size(), 1u);
}

}  // namespace
}  // namespace critpipe
