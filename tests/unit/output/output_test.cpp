// The buffer that outputs share: room, marks, and writes that fail.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <numeric>

#include "critpipe/output.hpp"

namespace critpipe {
namespace {

// Remembers how it was written to; fails from the n-th write on.
class Probe final : public Output {
 public:
  explicit Probe(int good = -1) : good_{good} {}
  std::string text;
  std::vector<std::size_t> writes;

 private:
  bool drain(const char* bytes, std::size_t size) override {
    if (good_ == 0) {
      error_ = system_error(Reason::io_write, "probe", ENOSPC);
      return false;
    }
    --good_;
    writes.push_back(size);
    text.append(bytes, size);
    return true;
  }
  int good_;
};

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::iota(text.begin(), text.end(), '\0');
  return text;
}

TEST(Output, KeepsOrderForPiecesOfAnySize) {
  for (const std::size_t piece :
       {std::size_t{1}, std::size_t{1000}, block_bytes - 1, block_bytes, block_bytes + 1, 3 * block_bytes}) {
    StringOutput output;
    std::string wanted;
    for (int i = 0; i < 4; ++i) {
      output.write(pattern(piece));
      wanted += pattern(piece);
    }
    EXPECT_EQ(output.take(), wanted) << piece;
  }
}

TEST(Output, WritesInLargeBlocks) {
  Probe output;
  for (int i = 0; i < 100000; ++i) output.write("0123456789");
  EXPECT_EQ(output.flush(), Step::go);
  EXPECT_EQ(output.text.size(), 1000000u);
  EXPECT_LE(output.writes.size(), 1000000 / (block_bytes / 2) + 1);
}

TEST(Output, RoomIsThereWhereItIsAskedFor) {
  StringOutput output;
  std::string wanted;
  for (const std::size_t room : {std::size_t{1}, std::size_t{100}, block_bytes, 2 * block_bytes, std::size_t{5}}) {
    char* at = output.reserve(room);
    std::fill_n(at, room, 'x');
    output.commit(at + room);
    wanted.append(room, 'x');
    at = output.more(output.reserve(0), room);
    std::fill_n(at, room, 'y');
    output.commit(at + room);
    wanted.append(room, 'y');
  }
  EXPECT_EQ(output.take(), wanted);
}

TEST(Output, RollbackTakesBackToTheMark) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, block_bytes, held_output_bytes - block_bytes}) {
    StringOutput output;
    output.write("before ");
    output.mark();
    output.write(pattern(size));
    EXPECT_TRUE(output.rollback()) << size;
    output.write("after");
    EXPECT_EQ(output.take(), "before after") << size;
  }
}

TEST(Output, WhatIsTooLongToBeHeldStays) {
  Probe output;
  output.mark();
  std::string wanted = pattern(8 * held_output_bytes);
  output.write(wanted);
  EXPECT_FALSE(output.rollback());
  output.write("after");
  EXPECT_EQ(output.flush(), Step::go);
  EXPECT_TRUE(output.text == wanted + "after");
}

TEST(Output, AReleasedMarkIsGone) {
  StringOutput output;
  EXPECT_FALSE(output.rollback());
  output.mark();
  output.write("kept");
  output.release();
  EXPECT_FALSE(output.rollback());
  output.mark();
  (void)output.flush();
  EXPECT_FALSE(output.rollback());
  EXPECT_EQ(output.take(), "kept");
}

TEST(Output, AFailedWriteEndsAll) {
  Probe output{1};
  output.write(pattern(2 * block_bytes));
  EXPECT_EQ(output.flush(), Step::stop);
  EXPECT_EQ(output.step(), Step::stop);
  EXPECT_EQ(to_string(output.error()), "probe: cannot write: No space left on device");
  const std::size_t written = output.text.size();
  output.write(pattern(5 * block_bytes));
  EXPECT_EQ(output.flush(), Step::stop);
  EXPECT_EQ(output.text.size(), written);
}

TEST(FileOutput, WritesToAFileDescriptor) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  {
    FileOutput output{ends[1], "pipe"};
    EXPECT_EQ(output.fd(), ends[1]);
    output.write("through the pipe");
    EXPECT_EQ(output.flush(), Step::go);
  }
  char text[64];
  EXPECT_EQ(std::string_view(text, static_cast<std::size_t>(read(ends[0], text, sizeof text))), "through the pipe");
  close(ends[0]);
  const auto old = signal(SIGPIPE, SIG_IGN);
  FileOutput output{ends[1], "pipe"};
  output.write("nobody reads");
  EXPECT_EQ(output.flush(), Step::stop);
  EXPECT_EQ(to_string(output.error()), "pipe: cannot write: Broken pipe");
  signal(SIGPIPE, old);
  close(ends[1]);
}

TEST(FileOutput, ADeviceThatIsFull) {
  const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (fd < 0) GTEST_SKIP() << "no /dev/full";
  FileOutput output{fd, "out"};
  output.write("x");
  EXPECT_EQ(output.flush(), Step::stop);
  EXPECT_EQ(to_string(output.error()), "out: cannot write: No space left on device");
  close(fd);
}

// What was written stays, and writing goes on, where there is no memory for more room.
TEST(Output, StaysWholeWithoutMemory) {
  std::vector<std::size_t> rooms{SIZE_MAX / 2, SIZE_MAX - 3, SIZE_MAX};
  // Where there is no memory, the address sanitizer ends the program.
#if defined(__has_feature)
  constexpr bool sanitized = __has_feature(address_sanitizer);
#elif defined(__SANITIZE_ADDRESS__)
  constexpr bool sanitized = true;
#else
  constexpr bool sanitized = false;
#endif
  if (!sanitized) rooms.push_back(std::size_t{1} << 46);
  for (const std::size_t room : rooms) {
    StringOutput output{16};
    output.write("before ");
    EXPECT_ANY_THROW((void)output.reserve(room));
    output.write(pattern(4096));
    EXPECT_EQ(output.take(), "before " + pattern(4096));
  }
}

}  // namespace
}  // namespace critpipe
