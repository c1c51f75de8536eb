// Directories that get all files of a set, or none.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "critpipe/output.hpp"
#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

namespace fs = std::filesystem;

class DirectoryWriterTest : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) const { std::ofstream{directory_ / name} << text; }
  std::string content(const std::string& name) const {
    std::ifstream in{directory_ / name};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  auto nr_files() const { return std::distance(fs::directory_iterator{directory_}, {}); }
  static void write(DirectoryWriter& writer, const std::string& name) {
    Error error;
    Output* const file = writer.create(name, error);
    ASSERT_TRUE(file) << to_string(error);
    file->write("new");
    EXPECT_FALSE(writer.close(file));
  }
  Error write_all(const DirectoryWriter::Options& options, std::initializer_list<const char*> names) const {
    DirectoryWriter writer{directory_, options};
    for (const char* const name : names) write(writer, name);
    return writer.commit();
  }

  const testing::ScratchDirectory scratch_;
  const fs::path& directory_ = scratch_.path();
};

TEST_F(DirectoryWriterTest, ReplacesFiles) {
  put("a", "old");
  put("kept", "old");
  fs::create_symlink("/gone", directory_ / "c");
  EXPECT_FALSE(write_all({.replace = true}, {"a", "b", "c", "deep/d"}));
  for (const char* const name : {"a", "b", "c", "deep/d"}) EXPECT_EQ(content(name), "new") << name;
  EXPECT_EQ(content("kept"), "old");
  EXPECT_EQ(nr_files(), 5);
}

TEST_F(DirectoryWriterTest, AFailureLeavesWhatWasThere) {
  put("a", "old");
  fs::create_symlink("a", directory_ / "link");
  fs::create_directories(directory_ / "c");
  EXPECT_EQ(write_all({.replace = true}, {"a", "b", "link", "c", "d"}).reason, Reason::io_write);
  EXPECT_EQ(content("a"), "old");
  EXPECT_TRUE(fs::is_symlink(directory_ / "link"));
  EXPECT_TRUE(fs::is_directory(directory_ / "c"));
  EXPECT_EQ(nr_files(), 3);
}

TEST_F(DirectoryWriterTest, OldFilesKeepASecondName) {
  put("a", "old");
  fs::create_symlink("a", directory_ / "link");
  EXPECT_FALSE(write_all({.replace = true, .old_suffix = ".bak"}, {"a", "link", "new"}));
  EXPECT_EQ(content("a.bak"), "old");
  EXPECT_EQ(content("a"), "new");
  EXPECT_TRUE(fs::is_symlink(directory_ / "link.bak"));
  EXPECT_TRUE(fs::is_regular_file(directory_ / "link"));
  EXPECT_EQ(nr_files(), 5);
}

TEST_F(DirectoryWriterTest, ASecondNameIsNeverOverwritten) {
  for (const char* const name : {"a", "b", "b.bak"}) put(name, name);
  const Error error = write_all({.replace = true, .old_suffix = ".bak"}, {"c", "a", "b"});
  EXPECT_EQ(error.reason, Reason::io_write);
  EXPECT_EQ(error.image, (directory_ / "b.bak").string());
  for (const char* const name : {"a", "b", "b.bak"}) EXPECT_EQ(content(name), name);
  EXPECT_EQ(nr_files(), 3);
}

// Who owns what is at the name meanwhile gets nothing.
TEST_F(DirectoryWriterTest, IdentityIsThatOfTheOpenFile) {
  put("a", "old");
  put("other", "theirs");
  const std::string path = directory_ / "a", other = directory_ / "other";
  ASSERT_EQ(chmod(path.c_str(), 04640), 0);
  ASSERT_EQ(chmod(other.c_str(), 0666), 0);
  const timespec times[] = {{1000, 0}, {2000, 5}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  const bool has_attributes = setxattr(path.c_str(), "user.note", "kept", 4, 0) == 0;
  const int old = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  DirectoryWriter writer{directory_, {.replace = true}};
  Error error;
  Output* const file = writer.create("a", error);
  ASSERT_TRUE(file);
  fs::remove(path);
  fs::create_symlink("other", path);
  EXPECT_TRUE(writer.keep_identity(file, old));
  close(old);
  file->write("new");
  EXPECT_FALSE(writer.close(file));
  EXPECT_FALSE(writer.commit());
  struct stat status;
  ASSERT_EQ(lstat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0640u);
  EXPECT_EQ(status.st_mtim.tv_sec, 2000);
  char value[8] = {};
  if (has_attributes) {
    EXPECT_EQ(getxattr(path.c_str(), "user.note", value, sizeof value), 4);
  }
  ASSERT_EQ(stat(other.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0666u);
  EXPECT_EQ(content("other"), "theirs");
}

TEST_F(DirectoryWriterTest, AnotherDirectoryIsNotWrittenTo) {
  struct stat status;
  ASSERT_EQ(stat(directory_.c_str(), &status), 0);
  EXPECT_FALSE((DirectoryWriter{directory_, {.identity = std::pair{status.st_dev, status.st_ino}}}.error()));
  const DirectoryWriter other{directory_, {.identity = std::pair{status.st_dev, status.st_ino + 1}}};
  EXPECT_EQ(other.error().reason, Reason::io_write);
  EXPECT_EQ(nr_files(), 0);
}

// Nothing is asked to be replaced, and nothing is, though it came meanwhile.
TEST_F(DirectoryWriterTest, WhatCameMeanwhileStays) {
  DirectoryWriter writer{directory_};
  for (const char* const name : {"a", "b"}) write(writer, name);
  put("b", "theirs");
  EXPECT_EQ(writer.commit().reason, Reason::io_write);
  EXPECT_EQ(content("b"), "theirs");
  EXPECT_FALSE(fs::exists(directory_ / "a"));
}

}  // namespace
}  // namespace critpipe
