// Who gets which room.
#include "search/chunk_rooms.hpp"

#include <gtest/gtest.h>

using critpipe::search::ChunkRooms;

TEST(ChunkRooms, AThreadGetsItsOwnBackWhatItHadLastFirst) {
  ChunkRooms rooms{64, 3};
  ChunkRooms::Room first = rooms.take(), second = rooms.take();
  const std::byte* const mine[] = {first.bytes.get(), second.bytes.get()};
  rooms.give_back(std::move(first));
  rooms.give_back(std::move(second));
  const std::byte* others = nullptr;
  std::thread{[&] {
    ChunkRooms::Room room = rooms.take();
    others = room.bytes.get();
    rooms.give_back(std::move(room));
  }}.join();
  EXPECT_TRUE(others != mine[0] && others != mine[1]);
  second = rooms.take();
  first = rooms.take();
  EXPECT_EQ(second.bytes.get(), mine[1]);
  EXPECT_EQ(first.bytes.get(), mine[0]);
  EXPECT_EQ(rooms.take().bytes.get(), others);  // as there are enough
}
