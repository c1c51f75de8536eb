// Image streams, written.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "critpipe/image_writer.hpp"
#include "critpipe/output.hpp"
#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

std::string stream_of(int fd, std::uint64_t size, std::uint64_t& moved, Error& error) {
  StringOutput text;
  StreamWriter stream{text};
  moved = stream.pass_file("pages-1.img", fd, size, error);
  return text.take();
}

class StreamWriters : public ::testing::Test {
 protected:
  StreamWriters() {
    fd_ = open(scratch_.at("input").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(write(fd_, "abcdef", 6), 6);
    lseek(fd_, 0, SEEK_SET);
  }
  ~StreamWriters() override { close(fd_); }

  const testing::ScratchDirectory scratch_;
  int fd_ = -1;
};

TEST_F(StreamWriters, PassFiles) {
  std::uint64_t moved = 0;
  Error error;
  EXPECT_TRUE(stream_of(fd_, 6, moved, error).ends_with("abcdef"));
  EXPECT_EQ(moved, 6U);
  EXPECT_FALSE(error);
}

// A stream that says how many bytes follow has as many, whatever becomes of the file.
TEST_F(StreamWriters, AFileThatIsShorterIsFilledUp) {
  std::uint64_t moved = 0;
  Error error;
  EXPECT_TRUE(stream_of(fd_, 8, moved, error).ends_with(std::string_view{"abcdef\0\0", 8}));
  EXPECT_EQ(moved, 6U);
  EXPECT_FALSE(error);
}

TEST_F(StreamWriters, AReadErrorIsReported) {
  const int unreadable = open(scratch_.at("input").c_str(), O_WRONLY);
  std::uint64_t moved = 1;
  Error error;
  EXPECT_TRUE(stream_of(unreadable, 6, moved, error).ends_with(std::string_view{"\0\0\0\0\0\0", 6}));
  EXPECT_EQ(moved, 0U);
  EXPECT_EQ(error.reason, Reason::io_read);
  EXPECT_EQ(error.image, "pages-1.img");
  close(unreadable);
}

}  // namespace
}  // namespace critpipe
