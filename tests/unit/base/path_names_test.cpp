// The order of names in a directory.
#include "base/path_names.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace critpipe {
namespace {

TEST(NaturalLess, NumbersByValue) {
  EXPECT_TRUE(natural_less("core-2.img", "core-10.img"));
  EXPECT_FALSE(natural_less("core-10.img", "core-2.img"));
  EXPECT_TRUE(natural_less("core-1", "core-1.img"));
  EXPECT_TRUE(natural_less("stats-0001", "stats-1bzzz"));
  EXPECT_TRUE(natural_less("stats-1bzzz", "stats-1c"));
  EXPECT_TRUE(natural_less("stats-0001", "stats-1c"));
  EXPECT_TRUE(natural_less("a01", "a1"));
}

// Irreflexive, total on different names, transitive: what std::sort requires, or it leaves its range.
TEST(NaturalLess, IsAStrictOrder) {
  std::vector<std::string> names{""};
  for (std::size_t first = 0, length = 1; length <= 3; ++length) {
    const std::size_t end = names.size();
    for (; first < end; ++first)
      for (const char letter : {'0', '1', 'b', '-', '\xe4'}) names.push_back(names[first] + letter);
  }
  for (const char* name : {"stats-1c", "stats-0001", "stats-1bzzz", "00", "000", "0b", "b00", "10", "010"})
    names.push_back(name);
  for (const auto& a : names) {
    ASSERT_FALSE(natural_less(a, a)) << a;
    for (const auto& b : names) {
      if (a != b) {
        ASSERT_NE(natural_less(a, b), natural_less(b, a)) << a << ' ' << b;
      }
      if (!natural_less(a, b)) continue;
      for (const auto& c : names)
        if (natural_less(b, c)) {
          ASSERT_TRUE(natural_less(a, c)) << a << ' ' << b << ' ' << c;
        }
    }
  }
}

}  // namespace
}  // namespace critpipe
