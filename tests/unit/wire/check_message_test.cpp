// One message by itself: right or wrong, where, and whether it is written as CRIU writes.
#include <gtest/gtest.h>

#include "unit/testing.hpp"

namespace critpipe {
namespace {

using namespace testing;

Checked checked(std::string_view message, const std::string& payload) {
  // A copy of the exact size, so that a sanitizer sees any byte read beyond it.
  const std::vector<char> exact{payload.begin(), payload.end()};
  return check(*find_message(message), view({exact.data(), exact.size()}));
}

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  while (count-- > 0) out += text;
  return out;
}

TEST(Check, NamesReasonAndByte) {
  const struct {
    const char *message, *payload;
    Reason reason;
    std::size_t offset;
    std::uint64_t want = 0, have = 0;
    const char* field = "";
  } rows[] = {
      {"fs_entry", "08 01 10 80", Reason::bad_varint, 3},
      {"fs_entry", "08 01 10", Reason::bad_varint, 3},
      {"fs_entry", "08 80808080 80808080 8080 01 10 02", Reason::bad_varint, 1},
      {"fs_entry", "80", Reason::bad_varint, 0},
      {"fs_entry", "08 01 10 02 00 00", Reason::bad_field_number, 4},
      {"fs_entry", "08 01 10 02 07", Reason::bad_field_number, 4},
      {"fs_entry", "08 01 10 02 8080808010 01", Reason::bad_field_number, 4},
      {"fs_entry", "08 01 10 02 1e", Reason::bad_wire_type, 5, 0, 6},
      {"fs_entry", "08 01 10 02 1f", Reason::bad_wire_type, 5, 0, 7},
      {"fs_entry", "08 01 10 02 fb01 08 01", Reason::bad_group, 6},
      {"fs_entry", "08 01 10 02 fb01 8402", Reason::bad_group, 6},
      {"fs_entry", "08 01 10 02 fc01", Reason::bad_group, 6},
      {"fs_entry", "08 01 10 02 fb01 00", Reason::bad_field_number, 6},
      {"fs_entry", "08 01 10 02 fa01 03 6162", Reason::bad_length, 6, 3, 2},
      {"fs_entry", "08 01 10 02 f901 01020304050607", Reason::bad_length, 6, 8, 7},
      {"fs_entry", "08 01 10 02 fd01 010203", Reason::bad_length, 6, 4, 3},
      {"utsns_entry", "0a 05 6162", Reason::bad_length, 1, 5, 2, "nodename"},
      {"utsns_entry", "0a ffffffffffffffffff01 6162", Reason::bad_length, 1, ~0ull, 2, "nodename"},
      {"core_entry", "08 01 1a 04 08 01 10 80", Reason::bad_varint, 7},
      {"core_entry", "08 01 1a 02 08 01 10 80", Reason::bad_varint, 7},
      {"timespec", "08 01", Reason::bad_missing, 0, 0, 0, "tv_nsec"},
      {"fs_entry", "", Reason::bad_missing, 0, 0, 0, "cwd_id"},
      {"fs_entry", "10 01", Reason::bad_missing, 0, 0, 0, "cwd_id"},
      {"fs_entry", "0d 01000000 10 02", Reason::bad_missing, 0, 0, 0, "cwd_id"},
      {"user_fpregs_entry", "", Reason::none, 0},
  };
  for (const auto& row : rows) {
    if (!find_message(row.message)) continue;
    SCOPED_TRACE(std::string{row.message} + " " + row.payload);
    const Checked result = checked(row.message, hex(row.payload));
    EXPECT_EQ(name_of(result.reason), name_of(row.reason));
    EXPECT_EQ(result.offset, row.offset);
    EXPECT_EQ(result.want, row.want);
    EXPECT_EQ(result.have, row.have);
    EXPECT_EQ(result.field ? result.field->name() : "", row.field);
  }
}

TEST(Check, PackedValuesFillTheirBytes) {
  EXPECT_EQ(checked("pstree_entry", hex("08 01 10 00 18 01 20 01 2a 03 01 8002")).reason, Reason::none);
  const Checked cut = checked("pstree_entry", hex("08 01 10 00 18 01 20 01 2a 02 01 80"));
  EXPECT_EQ(cut.reason, Reason::bad_packed);
  EXPECT_EQ(cut.field->name(), "threads");
  EXPECT_EQ(cut.want, 2u);
}

TEST(Check, WhatIsCanonical) {
  const struct {
    const char *message, *payload;
    bool canonical;
  } rows[] = {
      {"fs_entry", "08 01 10 02", true},
      {"fs_entry", "08 01 10 ffffffff0f", true},
      {"fs_entry", "10 02 08 01", false},        // descending
      {"fs_entry", "08 01 08 01 10 02", false},  // twice
      {"fs_entry", "08 8100 10 02", false},      // a longer varint than needed
      {"fs_entry", "8800 01 10 02", false},
      {"fs_entry", "08 01 10 ffffffff1f", false},  // more than 32 bits
      {"fs_entry", "08 01 10 ffffffffffffffffff01", false},
      {"fs_entry", "08 01 10 02 f801 01", true},  // unknown, but in its place
      {"fs_entry", "f801 01 08 01 10 02", false},
      {"pagemap_entry", "08 01 10 01 18 01", true},
      {"pagemap_entry", "08 01 10 01 18 02", false},       // true is 1
      {"timeval", "08 ffffffffffffffffff01 10 01", true},  // 64 bits, negative
      {"pstree_entry", "08 01 10 00 18 01 20 01 28 01 28 02", true},
      {"pstree_entry", "08 01 10 00 18 01 20 01 2a 02 01 02", false},
      {"pagemap_blocks", "0a 02 01 02 10 03 18 01", true},  // written packed
      {"pagemap_blocks", "0a 01 01 0a 01 02 10 03 18 01", false},
      {"pagemap_blocks", "08 01 08 02 10 03 18 01", false},
  };
  for (const auto& row : rows) {
    if (!find_message(row.message)) continue;
    EXPECT_EQ(checked(row.message, hex(row.payload)).canonical, row.canonical) << row.message << " " << row.payload;
  }
  // A negative int32 has ten bytes on the wire; five are the same number, but not how it is written.
  const auto uid = [](const char* value) {
    return checked("autofs_entry", hex("08 01 10 01 18 01 20 01 28 01 30 01 38") + hex(value));
  };
  EXPECT_TRUE(uid("ffffffffffffffffff01").canonical);
  EXPECT_FALSE(uid("ffffffff0f").canonical);
  EXPECT_EQ(uid("ffffffff0f").reason, Reason::none);
}

// The parts of a message that stands twice may be complete only together.
TEST(Check, RequiredFieldsAreSoughtInTheWholeMessage) {
  EXPECT_EQ(checked("core_entry", hex("08 01") + hex("22 08 08 01 10 02 18 03 20 04")).reason, Reason::none);
  const std::string half = hex("08 01 22 04 08 01 10 02");
  EXPECT_EQ(checked("core_entry", half).reason, Reason::bad_missing);
  EXPECT_EQ(checked("core_entry", half + hex("22 04 18 03 20 04")).reason, Reason::none);
  EXPECT_FALSE(checked("core_entry", half + hex("22 04 18 03 20 04")).canonical);
}

// A faulty message wins over a missing field, wherever it stands.
TEST(Check, AFaultOfTheWireComesFirst) {
  EXPECT_EQ(checked("fs_entry", hex("08 01 f801 80")).reason, Reason::bad_varint);
}

TEST(Check, NestingIsBounded) {
  const Message* inner = find_message("aa_namespace");
  ASSERT_NE(inner, nullptr);
  const Field* field = nullptr;
  for (const Field& candidate : inner->all())
    if (candidate.type == Type::message && &candidate.message() == inner) field = &candidate;
  ASSERT_NE(field, nullptr) << "no message nests in itself";
  std::string tag;
  append_varint(tag, field->number << 3 | 2);
  const std::string name = hex("0a 01 61");
  // Each level has the required name before the next level.
  std::string whole = name;
  for (int level = 1; level <= max_nesting + 2; ++level) {
    std::string size;
    append_varint(size, whole.size());
    whole = name + tag + size + whole;
    const Reason wanted = level <= max_nesting ? Reason::none : Reason::limit_nesting;
    EXPECT_EQ(checked("aa_namespace", whole).reason, wanted) << level;
  }
}

TEST(Check, GroupsNestWithinTheSameBound) {
  for (const std::size_t depth : {1, 10, max_nesting - 1, max_nesting + 1, 100000}) {
    const std::string groups = repeated(hex("fb01"), depth) + repeated(hex("fc01"), depth);
    const Reason wanted = depth <= max_nesting ? Reason::none : Reason::limit_nesting;
    EXPECT_EQ(checked("fs_entry", hex("08 01 10 02") + groups).reason, wanted) << depth;
  }
}

TEST(Check, EveryPrefixOfAMessageIsReadWithinItsBounds) {
  const std::string whole = hex("08 01 1a 04 08 01 10 02 f801 8001 fa01 03 616263 fb01 08 01 fc01 fd01 01020304");
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Checked result = checked("core_entry", whole.substr(0, size));
    EXPECT_LE(result.offset, size);
  }
}

}  // namespace
}  // namespace critpipe
