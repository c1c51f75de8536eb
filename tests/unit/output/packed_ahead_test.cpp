// Files that are compressed while they grow: the output is what it is without that, of what they hold in the end.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

#include "critpipe/output.hpp"
#include "critpipe/source.hpp"
#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

constexpr std::size_t frame = 4 << 20;

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random{seed};
  std::string text(size, '\0');
  for (std::size_t at = 0; at < size; at += 64)
    text.replace(at, 8, std::to_string(random() % 90000000 + 10000000), 0, 8);
  text.resize(size);
  return text;
}

class GrowingFile : public ::testing::Test {
 protected:
  GrowingFile() { std::filesystem::create_directory(room_); }
  ~GrowingFile() override { close(fd_); }
  void write(std::string_view bytes, std::size_t at = 0) {
    ASSERT_EQ(pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at)), static_cast<ssize_t>(bytes.size()));
  }
  // The file as a part of that size, behind what precedes it.
  void put(ZstdOutput& output, std::size_t size, std::string_view before = "") {
    output.write("header");
    output.part_begins(size);
    output.write(before);
    ASSERT_EQ(lseek(fd_, 0, SEEK_SET), 0);
    passed_ = output.pass_file(fd_, size);
    output.part_begins(0);
    output.write("footer");
    ASSERT_EQ(output.finish(), Step::go);
  }
  std::string packed_at_once(std::size_t size, std::string_view before = "") {
    StringOutput below;
    ZstdOutput output{below, 3, 1};
    put(output, size, before);
    return below.take();
  }
  std::string unpacked(const std::string& bytes) const {
    std::ofstream{scratch_.at("out"), std::ios::binary} << bytes;
    const auto reader = open_bytes(scratch_.at("out"), {});
    std::string all;
    for (Bytes block = reader->read(); !block.empty(); block = reader->read())
      all.append(reinterpret_cast<const char*>(block.data()), block.size());
    EXPECT_FALSE(reader->error());
    return all;
  }
  unsigned pack(PackedAhead& ahead) const {
    unsigned nr = 0;
    while (ahead.pack(fd_)) ++nr;
    return nr;
  }

  const testing::ScratchDirectory scratch_;
  const std::string room_ = scratch_.at("room");
  const int fd_ = open(scratch_.at("pages-1.img").c_str(), O_RDWR | O_CREAT, 0600);
  std::uint64_t passed_ = 0;
};

TEST_F(GrowingFile, IsPackedAsItGrows) {
  const std::string bytes = noise(5 * frame + 12345, 1);
  for (const int threads : {1, 2, 3}) {
    StringOutput below;
    ZstdOutput output{below, 3, threads};
    PackedAhead& ahead = output.ahead(room_);
    ASSERT_EQ(ftruncate(fd_, 0), 0);
    unsigned nr = 0;
    for (std::size_t at = 0; at < bytes.size(); at += 3000000) {
      write(std::string_view{bytes}.substr(at, 3000000), at);
      nr += pack(ahead);
    }
    EXPECT_EQ(nr, 5u);
    ahead.release();
    put(output, bytes.size());
    EXPECT_EQ(passed_, bytes.size());
    EXPECT_EQ(ahead.nr_used(), 5u);
    EXPECT_TRUE(below.take() == packed_at_once(bytes.size())) << threads;
  }
  EXPECT_TRUE(std::filesystem::is_empty(room_));
}

TEST_F(GrowingFile, CountsAsItIsInTheEnd) {
  write(noise(5 * frame, 2));
  StringOutput below;
  ZstdOutput output{below, 3, 2};
  EXPECT_EQ(pack(output.ahead(room_)), 5u);
  write("x", 2 * frame + 5);
  ASSERT_EQ(ftruncate(fd_, 4 * frame + 5), 0);
  put(output, 4 * frame + 5);
  EXPECT_EQ(output.ahead(room_).nr_used(), 3u);
  EXPECT_TRUE(below.take() == packed_at_once(4 * frame + 5));
}

TEST_F(GrowingFile, IsRefusedWhereItEndsEarly) {
  write(noise(3 * frame, 3));
  StringOutput below;
  ZstdOutput output{below, 3, 2};
  EXPECT_EQ(pack(output.ahead(room_)), 3u);
  ASSERT_EQ(ftruncate(fd_, frame), 0);
  put(output, 3 * frame);
  EXPECT_EQ(passed_, frame);
}

// Something precedes it in its part: the frames are cut in other places, and hold the same.
TEST_F(GrowingFile, StandsBehindAnything) {
  write(noise(3 * frame, 4));
  const std::string expected = packed_at_once(3 * frame, "something");
  StringOutput below;
  ZstdOutput output{below, 3, 2};
  EXPECT_EQ(pack(output.ahead(room_)), 3u);
  put(output, 3 * frame, "something");
  EXPECT_TRUE(unpacked(below.take()) == unpacked(expected));
}

TEST_F(GrowingFile, WaitsWhereThereIsNoRoom) {
  write(noise(3 * frame, 5));
  StringOutput below;
  ZstdOutput output{below, 3, 2};
  EXPECT_EQ(pack(output.ahead(scratch_.at("not-there"))), 0u);
  put(output, 3 * frame);
  EXPECT_TRUE(below.take() == packed_at_once(3 * frame));
}

// The last frame of a file is complete, and cannot be written.
TEST_F(GrowingFile, SaysThatItIsNotWritten) {
  write(noise(frame, 6));
  const int no_room = open("/dev/full", O_WRONLY | O_CLOEXEC);
  FileOutput full{no_room, "full"};
  ZstdOutput output{full, 3, 1};
  ASSERT_EQ(lseek(fd_, 0, SEEK_SET), 0);
  (void)output.pass_file(fd_, frame);
  EXPECT_EQ(output.step(), Step::stop);
  close(no_room);
}

}  // namespace
}  // namespace critpipe
