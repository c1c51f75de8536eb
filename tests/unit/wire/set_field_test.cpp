// Messages of which one field is changed or left out.
#include <gtest/gtest.h>

#include "unit/messages.hpp"
#include "unit/testing.hpp"

namespace critpipe {
namespace {

using namespace testing;

TEST(Without, OneFieldAndNoOther) {
  const Message& message = *find_message("pstree_entry");
  const Field& threads = *message.find("threads");
  const auto rest_of = [&](const char* payload) { return without(message, view(hex(payload)), threads); };
  EXPECT_EQ(rest_of(""), "");
  EXPECT_EQ(rest_of("08 01 10 00"), hex("08 01 10 00"));
  // Wherever its values stand, packed or not; what the schema doesn't know stays.
  EXPECT_EQ(rest_of("28 07 08 01 10 00 2a 03 03 8001 b83e 05 18 01 28 02 20 01"),
            hex("08 01 10 00 b83e 05 18 01 20 01"));
}

}  // namespace
}  // namespace critpipe
