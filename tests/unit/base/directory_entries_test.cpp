// Names in directories, read from an open descriptor.
#include "base/directory_entries.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

class Entries : public ::testing::Test {
 protected:
  Entries() : fd_{open(scratch_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)} {}
  ~Entries() override { close(fd_); }

  const testing::ScratchDirectory scratch_;
  const int fd_;
};

TEST_F(Entries, AreAllThereHoweverManyBlocksTheyTake) {
  std::set<std::string> wanted{".", ".."}, found;
  for (int i = 0; i < 200; ++i) {
    const std::string name = std::string(200, 'x') + std::to_string(i);
    std::ofstream{scratch_.at(name)}.flush();
    wanted.insert(name);
  }
  DirectoryEntries entries{fd_};
  while (const dirent64* entry = entries.next()) EXPECT_TRUE(found.insert(entry->d_name).second);
  EXPECT_EQ(errno, 0);
  EXPECT_EQ(found, wanted);
}

TEST_F(Entries, ARemovedDirectoryHasNone) {
  std::filesystem::create_directory(scratch_.at("gone"));
  const int gone = open(scratch_.at("gone").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::filesystem::remove(scratch_.at("gone"));
  DirectoryEntries entries{gone};
  EXPECT_EQ(entries.next(), nullptr);
  EXPECT_EQ(errno, 0);
  close(gone);
}

TEST_F(Entries, ErrnoSaysWhyThereAreNone) {
  std::ofstream{scratch_.at("file")} << "no directory";
  const int file = open(scratch_.at("file").c_str(), O_RDONLY | O_CLOEXEC);
  DirectoryEntries entries{file};
  EXPECT_EQ(entries.next(), nullptr);
  EXPECT_EQ(errno, ENOTDIR);
  close(file);
}

}  // namespace
}  // namespace critpipe
