// Files and directories that may be hostile.
#include "critpipe/input_file.hpp"

#include <gtest/gtest.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "critpipe/source.hpp"
#include "unit/scratch_directory.hpp"
#include "source/byte_reader.hpp"
#include "source/directory_list.hpp"
#include "source/name_set.hpp"

namespace critpipe {
namespace {

class Directories : public ::testing::Test {
 protected:
  Directories() {
    std::filesystem::create_directory(path_ / "dump");
    write("dump/fs-1.img", "abcdef");
  }
  void write(const char* name, const char* text) { std::ofstream{path_ / name} << text; }
  std::string at(const char* name) const { return (path_ / name).string(); }
  Reason refusal(const Directory& directory, std::string_view name) const {
    Error error;
    const InputFile file = directory.open(name, error);
    EXPECT_EQ(file.is_open(), !error);
    return error.reason;
  }

  const testing::ScratchDirectory scratch_;
  const std::filesystem::path& path_ = scratch_.path();
};

std::string text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

TEST_F(Directories, AFileThatTheUserNamedMayBeALink) {
  std::filesystem::create_symlink(at("dump/fs-1.img"), path_ / "named.img");
  mkfifo(at("pipe.img").c_str(), 0600);
  const auto refusal_at = [&](const char* name) {
    Error error;
    const InputFile file = InputFile::at(at(name), error);
    EXPECT_EQ(file.is_open(), !error);
    EXPECT_TRUE(error || file.place() == at(name));
    return error.reason;
  };
  EXPECT_EQ(refusal_at("named.img"), Reason::none);
  EXPECT_EQ(refusal_at("pipe.img"), Reason::bad_member);
  EXPECT_EQ(refusal_at("dump"), Reason::bad_member);
  EXPECT_EQ(refusal_at("nothing.img"), Reason::io_open);
}

TEST_F(Directories, OpenRegularFilesBeneathThem) {
  Error error;
  const Directory directory{at("dump/"), error};
  ASSERT_FALSE(error);
  EXPECT_EQ(directory.place(), at("dump"));
  const InputFile file = directory.open("fs-1.img", error);
  ASSERT_TRUE(file.is_open());
  EXPECT_EQ(file.size(), 6U);
  EXPECT_EQ(file.place(), at("dump/fs-1.img"));
  EXPECT_FALSE(file.is_pipe());
  EXPECT_TRUE(directory.has("fs-1.img"));
  EXPECT_FALSE(directory.has("fs-2.img"));
  EXPECT_EQ(refusal(directory, "fs-2.img"), Reason::io_open);
}

// Each would wait for a writer, read what nobody asked for, or lead out.
TEST_F(Directories, RefuseWhatIsNoFile) {
  Error error;
  const Directory directory{path_.string(), error};
  mkfifo(at("fifo.img").c_str(), 0600);
  std::filesystem::create_symlink("dump/fs-1.img", at("link.img"));
  std::filesystem::create_directory_symlink("dump", at("away"));
  std::filesystem::create_directory_symlink("/", at("root"));
  std::filesystem::create_directory(at("directory.img"));
  EXPECT_EQ(refusal(directory, "dump/fs-1.img"), Reason::none);
  EXPECT_EQ(refusal(directory, "fifo.img"), Reason::bad_member);
  EXPECT_EQ(refusal(directory, "link.img"), Reason::bad_member);
  EXPECT_EQ(refusal(directory, "directory.img"), Reason::bad_member);
  for (const char* name : {"away/fs-1.img", "root/etc/passwd", "../passwd", "/etc/passwd", "dump/../dump/fs-1.img", ""})
    EXPECT_NE(refusal(directory, name), Reason::none) << name;
}

TEST_F(Directories, RefuseDevices) {
  Error error;
  const Directory directory{path_.string(), error};
  if (mknod(at("zero.img").c_str(), S_IFCHR | 0600, makedev(1, 5)) != 0) GTEST_SKIP() << "needs the right to make one";
  EXPECT_EQ(refusal(directory, "zero.img"), Reason::bad_member);
}

TEST_F(Directories, FollowOnlyWhenAsked) {
  Error error;
  const Directory directory{path_.string(), error};
  std::filesystem::create_directory_symlink("dump", at("parent"));
  const Directory dump = directory.below("dump", error);
  const Directory parent = directory.follow("parent", error);
  ASSERT_FALSE(error);
  EXPECT_EQ(dump.identity(), parent.identity());
  EXPECT_FALSE(dump.identity() == directory.identity());
  EXPECT_FALSE(directory.below("parent", error).is_open());
  EXPECT_EQ(error.reason, Reason::io_open);
}

// What readdir() does not say is asked for.
TEST_F(Directories, KnowRegularFilesWithoutATypeFromReaddir) {
  std::filesystem::create_symlink("fs-1.img", at("dump/link"));
  const int fd = open(at("dump").c_str(), O_RDONLY | O_DIRECTORY);
  EXPECT_TRUE(is_regular(fd, "fs-1.img", DT_UNKNOWN));
  EXPECT_FALSE(is_regular(fd, "link", DT_UNKNOWN));
  EXPECT_FALSE(is_regular(fd, ".", DT_UNKNOWN));
  EXPECT_FALSE(is_regular(fd, "missing", DT_UNKNOWN));
  EXPECT_TRUE(is_regular(fd, "fs-1.img", DT_REG));
  EXPECT_FALSE(is_regular(fd, "fs-1.img", DT_LNK));
  close(fd);
}

TEST_F(Directories, FilesAreReadAnywhere) {
  Error error;
  InputFile file{open(at("dump/fs-1.img").c_str(), O_RDONLY), "name"};
  std::byte bytes[4];
  EXPECT_EQ(file.pread(bytes, 4, error), 2U);
  EXPECT_EQ(text_of(Bytes{bytes}.first(2)), "ef");
  EXPECT_EQ(file.pread(bytes, 100, error), 0U);
  EXPECT_TRUE(file.skip(1, error));
  EXPECT_EQ(file.read(bytes, error), 4U);
  EXPECT_EQ(text_of(bytes), "bcde");
  EXPECT_FALSE(error);
  const InputFile moved = std::move(file);
  EXPECT_TRUE(moved.is_open());
  EXPECT_FALSE(file.is_open());
  EXPECT_EQ(moved.size(), 6U);
}

TEST_F(Directories, ReadErrorsSayWhatFailed) {
  Error error;
  InputFile file{open(at("dump").c_str(), O_RDONLY | O_DIRECTORY), "name"};
  std::byte bytes[4];
  EXPECT_EQ(file.read(bytes, error), 0U);
  EXPECT_EQ(error.reason, Reason::io_read);
  error = {};
  EXPECT_EQ(file.pread(bytes, 0, error), 0U);
  EXPECT_EQ(error.reason, Reason::io_read);
  EXPECT_EQ(error.image, "name");
}

TEST_F(Directories, ReadersBeginWhereTheFileStands) {
  const int fd = open(at("dump/fs-1.img").c_str(), O_RDONLY);
  lseek(fd, 2, SEEK_SET);
  FileReader reader{InputFile{fd, "name"}};
  EXPECT_EQ(reader.size(), 4U);
  EXPECT_EQ(text_of(reader.read()), "cdef");
  EXPECT_TRUE(reader.read().empty());
  EXPECT_FALSE(reader.error());
}

TEST_F(Directories, AFileThatShrinksHasChanged) {
  FileReader reader{InputFile{open(at("dump/fs-1.img").c_str(), O_RDONLY), "name"}};
  std::filesystem::resize_file(at("dump/fs-1.img"), 4);
  EXPECT_EQ(text_of(reader.read()), "abcd");
  EXPECT_TRUE(reader.read().empty());
  EXPECT_EQ(reader.error().reason, Reason::changed);
}

TEST_F(Directories, LetNoNameLeadOut) {
  write("outside.img", "x");
  std::filesystem::create_directory(path_ / "beside");
  std::filesystem::create_directory_symlink(path_ / "beside", path_ / "dump/link");
  Error error;
  const Directory directory{at("dump"), error};
  for (const char* name : {"../outside.img", "..", "../beside", "link/../../beside", "", "/", "/etc"}) {
    EXPECT_FALSE(directory.has(name)) << name;
    for (const bool follow : {false, true}) {
      Error why;
      EXPECT_FALSE((follow ? directory.follow(name, why) : directory.below(name, why)).is_open()) << name;
      EXPECT_EQ(why.reason, Reason::bad_name) << name;
    }
  }
  EXPECT_TRUE(directory.has("link"));
  EXPECT_TRUE(directory.follow("link", error).is_open());
  EXPECT_FALSE(directory.below("link", error).is_open());
}

TEST(NameSet, TellsEqualNamesOnly) {
  NameSet names;
  for (int i = 0; i < 40000; ++i) EXPECT_TRUE(names.add("core-" + std::to_string(i)));
  for (int i = 0; i < 40000; i += 7) EXPECT_FALSE(names.add("core-" + std::to_string(i)));
}

// One answer for all who read an input twice.
TEST_F(Directories, InputsThatCanBeReadAgain) {
  SourceOptions options;
  ASSERT_EQ(mkfifo(at("fifo").c_str(), 0600), 0);
  EXPECT_TRUE(can_read_again(at("dump"), options));
  EXPECT_TRUE(can_read_again(at("dump/fs-1.img"), options));
  EXPECT_TRUE(can_read_again(at("nothing"), options));  // fails each time
  EXPECT_FALSE(can_read_again(at("fifo"), options));
  EXPECT_FALSE(can_read_again("/dev/null", options));
  EXPECT_FALSE(can_read_again("-", options));
  options.stdin_offset = 0;  // it is a file
  EXPECT_TRUE(can_read_again("-", options));
}

}  // namespace
}  // namespace critpipe
