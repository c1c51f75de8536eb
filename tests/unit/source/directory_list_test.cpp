// Checkpoint directories, listed.
#include "source/directory_list.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "unit/scratch_directory.hpp"

namespace critpipe {
namespace {

// No descriptor can be opened while this lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{0, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_;
};

class Lists : public ::testing::Test {
 protected:
  Lists() {
    for (const char* name : {"core-10.img", "core-9.img", "notes"}) std::ofstream{scratch_.at(name)} << name;
    std::filesystem::create_directory(scratch_.at("checkpoint"));
  }
  const testing::ScratchDirectory scratch_;
};

// Threads that open and close descriptors wait for each other.
TEST_F(Lists, NeedNoDescriptorBesideTheDirectory) {
  Error error;
  DirectoryList list{Directory{scratch_.path().string(), error}};
  {
    const NoDescriptors none;
    EXPECT_FALSE(list.read({}));
  }
  ASSERT_EQ(list.entries.size(), 2u);
  EXPECT_EQ(list.entries[0].name, "core-9.img");
  EXPECT_EQ(list.entries[1].name, "core-10.img");
}

TEST_F(Lists, OfNamesAreReadAsOftenAsAsked) {
  Error error;
  const Directory directory{scratch_.path().string(), error};
  for (int again = 0; again < 2; ++again) {
    DirectoryNames names;
    ASSERT_TRUE(names.read(directory));
    EXPECT_EQ(names.files, (std::vector<std::string>{"core-9.img", "core-10.img", "notes"}));
    EXPECT_EQ(names.directories, (std::vector<std::string>{"checkpoint"}));
  }
}

}  // namespace
}  // namespace critpipe
