// Which checkpoint a set is, and which of several is the parent.
#include <gtest/gtest.h>

#include <set>

#include "critpipe/source.hpp"

namespace critpipe {
namespace {

std::string parents(std::size_t generation) {
  std::string path = "parent";
  for (std::size_t i = 1; i < generation; ++i) path += "/parent";
  return path;
}

TEST(Generations, LeadUpFromASet) {
  EXPECT_EQ(generation_of("app/parent").base, "app");
  EXPECT_EQ(generation_of("app/pre-checkpoint-3").number, 3u);
  EXPECT_EQ(generation_of("app/checkpoint/parent").base, "app");
}

TEST(Generations, AllAreToldApart) {
  std::set<std::pair<std::string, std::uint32_t>> seen;
  for (std::size_t i = 1; i <= 510; ++i) {
    const std::string path = parents(i);
    const Generation generation = generation_of(path);
    EXPECT_TRUE(seen.emplace(generation.base, generation.number).second) << i;
  }
  EXPECT_EQ(generation_of(parents(500)).number, 500u);
}

TEST(Generations, NumbersDoNotAddUpBeyondTheLimit) {
  const Generation generation = generation_of("pre-checkpoint-300/pre-checkpoint-300");
  EXPECT_EQ(generation.number, 300u);
  EXPECT_EQ(generation.base, "pre-checkpoint-300");
}

}  // namespace
}  // namespace critpipe
