// Messages rewritten as CRIU would have written them.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <random>

#include "unit/messages.hpp"
#include "unit/testing.hpp"

namespace critpipe {
namespace {

using namespace testing;

std::string rewritten(std::string_view message, const std::string& payload) {
  const Message& table = *find_message(message);
  EXPECT_EQ(check(table, view(payload)).reason, Reason::none);
  return canonical(table, view(payload));
}

TEST(Canonical, OneFormForAll) {
  const std::string fs = hex("08 01 10 02");
  for (const char* other : {"08 01 10 02", "10 02 08 01", "08 07 10 02 08 01", "08 8100 10 02", "8800 01 10 02",
                            "08 8180808010 10 02", "08 81808080 80808080 8002 10 02"})
    EXPECT_EQ(rewritten("fs_entry", hex(other)), fs) << other;
}

TEST(Canonical, ListsKeepTheirOrder) {
  EXPECT_EQ(rewritten("pstree_entry", hex("28 07 08 01 10 00 2a 03 03 8001 18 01 28 02 20 01")),
            hex("08 01 10 00 18 01 20 01 28 07 28 03 28 8001 28 02"));
}

TEST(Canonical, MessagesThatStandTwiceAreMerged) {
  EXPECT_EQ(rewritten("core_entry", hex("22 04 18 03 20 04 08 01 22 04 10 02 08 01")),
            hex("08 01 22 08 08 01 10 02 18 03 20 04"));
}

TEST(Canonical, UnknownFieldsKeepTheirPlaceByNumber) {
  EXPECT_EQ(rewritten("fs_entry", hex("fa01 02 6869 08 01 f801 05 10 02")), hex("08 01 10 02 fa01 02 6869 f801 05"));
  // A known number with another wire type follows the known ones.
  EXPECT_EQ(rewritten("fs_entry", hex("0d 01000000 08 01 10 02")), hex("08 01 0d 01000000 10 02"));
}

TEST(Canonical, GroupsStayWhole) {
  const std::string group = hex("fb01 08 01 fb01 fc01 0a 02 fc01 fc01");
  EXPECT_EQ(rewritten("fs_entry", group + hex("08 01 10 02")), hex("08 01 10 02") + group);
}

TEST(Canonical, NarrowTypesKeepTheirLowBits) {
  EXPECT_EQ(rewritten("fs_entry", hex("08 8180808010 10 02")), hex("08 01 10 02"));             // uint32
  EXPECT_EQ(rewritten("pagemap_entry", hex("08 01 10 01 18 8002")), hex("08 01 10 01 18 01"));  // bool
}

// Two serialised messages one after the other are the merged message; fields in any order are the same message.
TEST(Canonical, EqualsWhatProtobufWrites) {
  std::mt19937_64 random{20260101};
  std::size_t nr_messages = 0;
  for (const Message& table : all_messages) {
    SCOPED_TRACE(table.name);
    for (int round = 0; round < 8; ++round) {
      const auto first = random_message(table.name, random);
      const auto second = random_message(table.name, random);
      if (!first) continue;
      ++nr_messages;
      const std::string one = first->SerializePartialAsString(), two = second->SerializePartialAsString();
      EXPECT_EQ(canonical(table, view(one)), one);
      first->MergeFrom(*second);
      std::string wanted = first->SerializePartialAsString();
      EXPECT_EQ(canonical(table, view(one + two)), wanted);
    }
  }
  EXPECT_GT(nr_messages, 1000u);
}

}  // namespace
}  // namespace critpipe
