// Errors that are collected.
#include "base/kept_errors.hpp"

#include <gtest/gtest.h>

namespace critpipe {
namespace {

TEST(KeptErrors, WhatHasNoRoomIsCounted) {
  std::vector<Error> first, second;
  std::size_t room = 3;
  for (int i = 0; i < 5; ++i) keep_error(first, {Reason::bad_magic}, room);
  ASSERT_EQ(first.size(), 4u);
  EXPECT_EQ(to_string(first.back()), "and 2 more errors");
  keep_error(second, {Reason::bad_magic}, room);
  for (const Error& error : first) keep_error(second, error, room);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second.back().have, 6u);
}

}  // namespace
}  // namespace critpipe
