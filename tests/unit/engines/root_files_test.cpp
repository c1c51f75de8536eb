#include "engines/root_files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

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

TEST_F(Unpacked, PlacesAreMadeInside) {
  fs::create_directory_symlink(work_.at("outside"), work_.at("root/etc"));
  RootFiles root;
  ASSERT_FALSE(root.open(work_.at("root")));
  EXPECT_TRUE(root.make_place("/etc/hosts", true));
  EXPECT_TRUE(root.make_place("/../outside/file", true));
  EXPECT_TRUE(fs::is_empty(work_.at("outside")));
  for (int times = 0; times < 2; ++times) {
    EXPECT_FALSE(root.make_place("/var/lib/hosts", true));
    EXPECT_FALSE(root.make_place("/proc", false));
  }
  EXPECT_TRUE(fs::is_regular_file(work_.at("root/var/lib/hosts")));
  EXPECT_TRUE(fs::is_directory(work_.at("root/proc")));
}

// docker makes up to 127 layers, with longer paths than the options of a mount have room for.
TEST_F(Unpacked, OverlayOfManyLayers) {
  const std::string tmpfs = work_.at("tmpfs");  // an overlay takes no upper directory in another one
  fs::create_directory(tmpfs);
  ASSERT_EQ(mount("tmpfs", tmpfs.c_str(), "tmpfs", 0, nullptr), 0);
  std::vector<std::string> layers;
  for (int nr = 0; nr < 60; ++nr) {
    layers.push_back(tmpfs + "/" + std::string(80, 'l') + std::to_string(nr) + "/diff");
    fs::create_directories(layers.back());
    std::ofstream{layers.back() + "/note"} << nr;
  }
  for (const char* name : {"/up,per", "/work", "/place"}) fs::create_directory(tmpfs + name);
  const Error error = mount_overlay(tmpfs + "/place", layers, tmpfs + "/up,per", tmpfs + "/work");
  EXPECT_FALSE(error) << to_string(error);
  std::string note;
  std::ifstream{tmpfs + "/place/note"} >> note;
  EXPECT_EQ(note, "0");
  std::ofstream{tmpfs + "/place/new"} << "new";
  EXPECT_TRUE(fs::exists(tmpfs + "/up,per/new"));
  (void)umount2((tmpfs + "/place").c_str(), MNT_DETACH);
  (void)umount2(tmpfs.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace critpipe
