// Files that appear as a whole: what they follow, what they keep, and what is written in place.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "critpipe/output.hpp"
#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_ / name; }
  void put(const std::string& name, const std::string& text) const { std::ofstream{path(name)} << text; }
  std::string content(const std::string& name) const {
    std::ifstream in{path(name)};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  struct stat status(const std::string& name) const {
    struct stat status {};
    EXPECT_EQ(stat(path(name).c_str(), &status), 0);
    return status;
  }
  auto nr_files() const { return std::distance(fs::directory_iterator{directory_}, {}); }
  static Error write(const std::string& to, std::string_view text = "new") {
    return replace_file(to, [&](Output& file) {
      file.write(text);
      return Error{};
    });
  }

  const testing::ScratchDirectory scratch_;
  const fs::path& directory_ = scratch_.path();
};

TEST_F(AtomicFileTest, AppearsAtCommit) {
  {
    AtomicFile file{path("a"), {.mode = 0640}};
    ASSERT_FALSE(file.error());
    file.output().write("new");
    EXPECT_FALSE(file.finish());
    EXPECT_FALSE(fs::exists(path("a")));
    EXPECT_FALSE(file.commit());
  }
  EXPECT_EQ(content("a"), "new");
  EXPECT_EQ(status("a").st_mode & 07777, 0640u);
  {
    AtomicFile file{path("a")};
    file.output().write("newer");
    EXPECT_TRUE(fs::exists(file.temporary()));
  }
  EXPECT_EQ(content("a"), "new");
  EXPECT_EQ(nr_files(), 1);
}

TEST_F(AtomicFileTest, FollowsLinks) {
  fs::create_directory(path("there"));
  put("there/target", "old");
  fs::create_symlink("there/target", path("link"));
  fs::create_symlink(path("link"), path("outer"));
  EXPECT_FALSE(write(path("outer")));
  EXPECT_TRUE(fs::is_symlink(path("link")) && fs::is_symlink(path("outer")));
  EXPECT_EQ(content("there/target"), "new");
  fs::create_symlink("there/none", path("dangling"));
  EXPECT_FALSE(write(path("dangling")));
  EXPECT_TRUE(fs::is_symlink(path("dangling")));
  EXPECT_EQ(content("there/none"), "new");
  fs::create_symlink("circle", path("circle"));
  EXPECT_EQ(write(path("circle")).reason, Reason::io_write);
}

TEST_F(AtomicFileTest, WritesToDescriptorsAndDevices) {
  put("out", "before ");
  const int fd = open(path("out").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(fd, 0);
  const std::string number = std::to_string(fd);
  EXPECT_FALSE(write("/dev/fd/" + number, "1"));
  EXPECT_FALSE(write("/proc/self/fd/" + number, "2"));
  fs::create_symlink("/proc/self/fd/" + number, path("stdout"));
  EXPECT_FALSE(write(path("stdout"), "3"));
  EXPECT_TRUE(fs::is_symlink(path("stdout")));
  close(fd);
  EXPECT_EQ(content("out"), "before 123");
  EXPECT_EQ(write("/dev/fd/" + number).reason, Reason::io_write);
  EXPECT_FALSE(write("/dev/null"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_EQ(write("/dev/full").reason, Reason::io_write);
}

TEST_F(AtomicFileTest, KeepsHardLinksAndMode) {
  put("one", "an old and longer text");
  fs::create_hard_link(path("one"), path("two"));
  EXPECT_FALSE(write(path("one")));
  EXPECT_EQ(content("two"), "new");
  put("three", "old");
  fs::permissions(path("three"), fs::perms{0604});
  EXPECT_FALSE(write(path("three")));
  EXPECT_EQ(status("three").st_mode & 07777, 0604u);
}

// Whatever happens to the temporary file, the old content is not given up for nothing.
TEST_F(AtomicFileTest, CopiesWhatItHoldsNotWhatHasItsName) {
  put("one", "an old and longer text");
  fs::create_hard_link(path("one"), path("two"));
  AtomicFile file{path("one")};
  file.output().write("new");
  EXPECT_FALSE(file.finish());
  fs::remove(file.temporary());
  EXPECT_FALSE(file.commit());
  EXPECT_EQ(content("two"), "new");
  EXPECT_EQ(nr_files(), 2);
}

TEST_F(AtomicFileTest, EmptiesWhatIsReplacedByNothing) {
  put("one", "old");
  fs::create_hard_link(path("one"), path("two"));
  EXPECT_FALSE(write(path("one"), ""));
  EXPECT_EQ(content("two"), "");
}

// As another user, where the tests run as root.
TEST_F(AtomicFileTest, KeepsTheOwner) {
  put("own", "old");
  const bool is_root = geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(chown(path("own").c_str(), 1234, 5678), 0);
  }
  const struct stat before = status("own");
  EXPECT_FALSE(write(path("own")));
  EXPECT_EQ(status("own").st_uid, before.st_uid);
  EXPECT_EQ(status("own").st_gid, before.st_gid);
  // Neither may the directory be written nor the owner be set.
  fs::permissions(path("own"), fs::perms{0666});
  fs::permissions(directory_, fs::perms{0555});
  if (is_root) {
    ASSERT_EQ(seteuid(4321), 0);
  }
  EXPECT_FALSE(write(path("own"), "newer"));
  EXPECT_EQ(write(path("none")).reason, Reason::io_write);
  if (is_root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  fs::permissions(directory_, fs::perms{0777});
  EXPECT_EQ(content("own"), "newer");
  if (is_root) {
    ASSERT_EQ(seteuid(4321), 0);
  }
  EXPECT_FALSE(write(path("own"), "newest"));
  if (is_root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  EXPECT_EQ(content("own"), "newest");
  EXPECT_EQ(status("own").st_uid, before.st_uid);
  EXPECT_EQ(nr_files(), 1);
}

TEST_F(AtomicFileTest, LongNames) {
  EXPECT_FALSE(write(path(std::string(255, 'n'))));
  EXPECT_EQ(content(std::string(255, 'n')), "new");
  EXPECT_EQ(write(path(std::string(256, 'n'))).reason, Reason::io_write);
  EXPECT_EQ(nr_files(), 1);
}

}  // namespace
}  // namespace critpipe
