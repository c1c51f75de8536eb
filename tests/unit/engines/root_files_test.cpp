#include "engines/root_files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

namespace fs = std::filesystem;

class Unpacked : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(work_.at("from/run"));
    std::ofstream{work_.at("from/run/note")} << "of the archive";
    fs::create_directory(work_.at("root"));
    fs::create_directory(work_.at("outside"));
    const std::string tar = "tar -C " + work_.at("from") + " -cf " + work_.at("tar") + " run/note";
    ASSERT_EQ(std::system(tar.c_str()), 0);
    if (RootFiles{}.open(work_.at("root"))) GTEST_SKIP() << "needs the right to mount";
  }
  Error unpack() {
    RootFiles root;
    if (Error error = root.open(work_.at("root"))) return error;
    const OwnedDescriptor archive{open(work_.at("tar").c_str(), O_RDONLY | O_CLOEXEC)};
    return root.unpack(archive.fd(), -1);
  }

  testing::ScratchDirectory work_;
};

TEST_F(Unpacked, IsThere) {
  const Error error = unpack();
  EXPECT_FALSE(error) << to_string(error);
  EXPECT_TRUE(fs::exists(work_.at("root/run/note")));
}

// "run -> /run" is usual in images; followed by us it leads to the machine's.
TEST_F(Unpacked, StaysInside) {
  fs::create_directory_symlink(work_.at("outside"), work_.at("root/run"));
  EXPECT_TRUE(unpack());
  EXPECT_TRUE(fs::is_empty(work_.at("outside")));
}

}  // namespace
}  // namespace critpipe
