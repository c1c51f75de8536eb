// The table of what engines and CRIU say.
#include <gtest/gtest.h>

#include "engines/troubles.hpp"

namespace critpipe {
namespace {

struct Row {
  std::string_view name, said, text, advice;
};
#define TROUBLE(name, said, text, advice) Row{name, said, text, advice},
constexpr Row rows[] = {
#include "engines/troubles.inc"
};
#undef TROUBLE

// No row before it takes what is said for something else.
TEST(Troubles, WhatIsSaidGetsItsOwnAdvice) {
  for (const Row& row : rows) {
    EXPECT_EQ(trouble(row.name, "x").check, row.name);
    if (row.said.empty()) continue;
    const Error error = with_advice({.reason = Reason::usage, .name = "CRIU: " + std::string{row.said} + " of 12"});
    EXPECT_NE(error.name.find(row.text), std::string::npos) << row.name << ": " << error.name;
    EXPECT_NE(error.name.find(row.advice), std::string::npos) << row.name << ": " << error.name;
  }
}

TEST(Troubles, ANameThatDockerHasIsNoSecondTry) {
  const Error error =
      with_advice({.reason = Reason::usage, .name = "checkpoint with name c1 already exists for container web"});
  EXPECT_NE(error.name.find("another --name"), std::string::npos) << error.name;
  const Error again = with_advice({.reason = Reason::usage, .name = "content sha256:ab: already exists"});
  EXPECT_NE(again.name.find("ask once more"), std::string::npos) << again.name;
}

TEST(Troubles, WhatNobodyKnowsStaysAsItIs) {
  EXPECT_EQ(with_advice({.reason = Reason::usage, .name = "no idea"}).name, "no idea");
}

}  // namespace
}  // namespace critpipe
