#include "rpc/remembered_answer.hpp"
#include "unit/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace critpipe {
namespace {

struct RememberedAnswerTest : ::testing::Test {
  RememberedAnswerTest() { setenv("XDG_RUNTIME_DIR", directory.c_str(), 1); }
  ~RememberedAnswerTest() override { unsetenv("XDG_RUNTIME_DIR"); }
  std::string program(const std::string& content) const {
    const std::string path = directory + "/program";
    std::ofstream{path} << content;
    return path;
  }
  const testing::ScratchDirectory scratch;
  const std::string directory = scratch.path();
  std::string answer;
};

using Of = RememberedAnswer::Of;

TEST_F(RememberedAnswerTest, IsOfThisBinaryAsItIs) {
  const std::string path = program("\177ELF one");
  EXPECT_FALSE((RememberedAnswer{path, "version", Of::program}.read(answer)));
  RememberedAnswer{path, "version", Of::program}.write("4 2 1\n\n\n");
  ASSERT_TRUE((RememberedAnswer{path, "version", Of::program}.read(answer)));
  EXPECT_EQ(answer, "4 2 1\n\n\n");
  EXPECT_FALSE((RememberedAnswer{path, "check", Of::program_on_kernel}.read(answer)));
  EXPECT_FALSE((RememberedAnswer{"/bin/true", "version", Of::program}.read(answer)));
  (void)program("\177ELF another");
  EXPECT_FALSE((RememberedAnswer{path, "version", Of::program}.read(answer)));
}

TEST_F(RememberedAnswerTest, ScriptsMayRunAnything) {
  const std::string path = program("#!/bin/sh\nexec criu \"$@\"\n");
  RememberedAnswer{path, "version", Of::program}.write("answer");
  EXPECT_FALSE((RememberedAnswer{path, "version", Of::program}.read(answer)));
  RememberedAnswer{path, "check", Of::program_on_kernel}.write("answer");
  EXPECT_TRUE((RememberedAnswer{path, "check", Of::program_on_kernel}.read(answer)));
}

TEST_F(RememberedAnswerTest, OthersMayNotWriteIt) {
  const std::string path = program("\177ELF"), file = directory + "/critpipe.criu-version";
  RememberedAnswer{path, "version", Of::program}.write("answer");
  ASSERT_EQ(chmod(file.c_str(), 0666), 0);
  EXPECT_FALSE((RememberedAnswer{path, "version", Of::program}.read(answer)));
}

}  // namespace
}  // namespace critpipe
