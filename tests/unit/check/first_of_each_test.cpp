// Counts and firsts of each kind.
#include "check/first_of_each.hpp"

#include <gtest/gtest.h>

#include <string>

namespace critpipe {
namespace {

TEST(FirstOfEach, ManyOfOneKindHideNoneOfAnother) {
  FirstOfEach<int, std::string, 3> all;
  for (int i = 0; i < 1000; ++i) all.add(1, "many");
  all.add(2, "one");
  all.add(0, "group", 5);
  all.add(0, "next");
  std::string text;
  all.each([&](const std::string& thing, std::uint64_t times) { text += thing + " " + std::to_string(times) + ", "; });
  EXPECT_EQ(text, "group 1, next 5, many 1, many 1, many 998, one 1, ");
}

}  // namespace
}  // namespace critpipe
