// Commands of engines: what they print, and what they leave behind.
#include <gtest/gtest.h>

#include <chrono>

#include "engines/run_command.hpp"

namespace critpipe {
namespace {

// Such as the monitor of a container, which has the pipes of the command that started it.
TEST(RunCommand, DoesNotWaitForWhatACommandLeavesRunning) {
  const auto begin = std::chrono::steady_clock::now();
  const CommandAnswer answer = run_command({"sh", "-c", "echo said; sleep 20 &"}, {.seconds = 0});
  EXPECT_FALSE(answer.error);
  EXPECT_EQ(answer.output, "said\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{10});
}

TEST(RunCommand, SaysTheLastLineOfWhatFails) {
  const CommandAnswer answer = run_command({"sh", "-c", "echo first >&2; echo second >&2; sleep 20 & exit 1"});
  EXPECT_EQ(answer.error.name, "second");
}

}  // namespace
}  // namespace critpipe
