// Sets of images, by name.
#include "critpipe/source.hpp"

#include <gtest/gtest.h>

#include "source/input_form.hpp"

namespace critpipe {
namespace {

TEST(SetId, ASetIsNamedWhereItsInputHasOthers) {
  const std::vector<SetId> sets{{"a", ""}, {"b", "app"}, {"a", "pre"}, {"c", "x"}, {"c", "x"}};
  const std::vector<std::string> texts{"a", "b", "a (pre)", "c", "c"};
  EXPECT_EQ(texts_of(sets), texts);
}

// Compared each with each, they would take minutes.
TEST(SetId, AsManySetsAsThereMayBeAreNamedAtOnce) {
  std::vector<SetId> sets;
  for (int i = 0; i < 400'000; ++i) sets.push_back({"a.tar", i % 2 == 0 ? "" : "app"});
  sets.insert(sets.begin(), 400'000, {"b.tar", ""});
  EXPECT_EQ(texts_of(sets).back(), "a.tar (app)");
}

TEST(SetIds, HasALimitOfSetsAndOfTheirNames) {
  SetIds ids{"a.tar"};
  for (std::size_t i = 0; i < max_sets; ++i) ASSERT_NE(ids.of(std::to_string(i)), nullptr);
  EXPECT_EQ(ids.of("one more"), nullptr);
  EXPECT_EQ(ids.of("7"), ids.of("7"));
  SetIds long_ids{"a.tar"};
  const std::string name(max_set_name_bytes / 2, 'd');
  EXPECT_NE(long_ids.of(name), nullptr);
  EXPECT_EQ(long_ids.of(name + name), nullptr);
  EXPECT_EQ(long_ids.of("small")->set, "small");
}

}  // namespace
}  // namespace critpipe
