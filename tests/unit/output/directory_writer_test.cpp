// Directories that get all files of a set, or none.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "critpipe/output.hpp"

namespace critpipe {
namespace {

namespace fs = std::filesystem;

class DirectoryWriterTest : public ::testing::Test {
 protected:
  DirectoryWriterTest() {
    std::string name = ::testing::TempDir() + "critpipe-directory-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~DirectoryWriterTest() override { fs::remove_all(directory_); }

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

  fs::path directory_;
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
