// Each row of check/field_tables.cpp names a field that it can look at, and finds what is beyond it.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "check/field_limits.hpp"

namespace critpipe {
namespace {

void append_key(std::string& out, const Field& field) {
  append_varint(out, std::uint64_t{field.number} << 3 | static_cast<std::uint64_t>(field.wire()));
}

// A message with one number.
std::string with_number(const Field& field, std::int64_t number) {
  std::string out;
  append_key(out, field);
  const auto bits = static_cast<std::uint64_t>(number);
  const bool is_zigzag = field.type == Type::sint32 || field.type == Type::sint64;
  append_varint(out, is_zigzag ? bits << 1 ^ static_cast<std::uint64_t>(number >> 63) : bits);
  return out;
}

// A message with a list of so many values, or a text of so many bytes.
std::string with_length(const Field& field, std::uint64_t length) {
  std::string out;
  for (std::uint64_t i = 0; i < (field.repeated ? length : 1); ++i) {
    append_key(out, field);
    if (!field.repeated) append_varint(out, length);
    else if (const bool is_fixed = field.wire() == Wire::fixed64; is_fixed || field.wire() == Wire::fixed32)
      out.append(is_fixed ? 8 : 4, '\0');
    else append_varint(out, 0);
  }
  return field.repeated ? out : out.append(length, '\0');
}

// How often a message is refused by that rule and for that field.
std::size_t faults(std::string_view message, std::string_view field, std::string_view rule,
                   const std::string& payload) {
  std::size_t count = 0;
  look_at_fields(*find_message(message), std::as_bytes(std::span{payload}),
                 [&](const FieldFault& fault) { count += fault.field == field && fault.rule == rule; });
  return count;
}

// The field of a row, in its message itself.
template <typename Row>
const Field* own_field(const Row& row) {
  const Field* const field = field_of(row.message, row.field);
  EXPECT_TRUE(field && row.field.find('.') == row.field.npos) << row.message << '.' << row.field;
  return field;
}

TEST(FieldTables, Lengths) {
  for (const FieldLength& row : field_lengths()) {
    SCOPED_TRACE(std::string{row.message}.append(".").append(row.field));
    const Field* const field = own_field(row);
    ASSERT_TRUE(field);
    EXPECT_TRUE(field->repeated || field->type == Type::bytes || field->type == Type::string);
    EXPECT_LE(row.least, row.most);
    EXPECT_TRUE(row.least > 0 || row.most != FieldLength::no_most);
    const auto faults_at = [&](std::uint64_t length) {
      return faults(row.message, row.field, list_length, with_length(*field, length));
    };
    EXPECT_EQ(faults_at(row.least), 0u);
    if (row.least > 1) {
      EXPECT_EQ(faults_at(row.least - 1), 1u);
    }
    if (row.most != FieldLength::no_most) {
      EXPECT_EQ(faults_at(row.most + 1), 1u);
    }
    if (row.least > 0) {
      EXPECT_EQ(faults_at(0), row.may_be_empty ? 0u : 1u);
    }
    if (row.unit > 1) {
      EXPECT_EQ(faults_at(row.least + 1), 1u);
    }
  }
}

TEST(FieldTables, Ranges) {
  for (const FieldRange& row : field_ranges()) {
    SCOPED_TRACE(std::string{row.message}.append(".").append(row.field));
    const Field* const field = own_field(row);
    ASSERT_TRUE(field);
    EXPECT_TRUE(field->is_integer() && !field->repeated && field->wire() == Wire::varint);
    const auto faults_at = [&](std::int64_t number) {
      return faults(row.message, row.field, value_range, with_number(*field, number));
    };
    EXPECT_EQ(faults_at(row.least), 0u);
    EXPECT_EQ(faults_at(row.most), 0u);
    EXPECT_EQ(faults_at(row.least - 1), 1u);
    const bool is_signed_32 = field->type == Type::int32 || field->type == Type::sint32;
    const std::int64_t largest = is_signed_32                  ? std::numeric_limits<std::int32_t>::max()
                                 : field->type == Type::uint32 ? std::numeric_limits<std::uint32_t>::max()
                                                               : std::numeric_limits<std::int64_t>::max();
    EXPECT_LE(row.most, largest);
    if (row.most < largest) {
      EXPECT_EQ(faults_at(row.most + 1), 1u);
    }
  }
}

TEST(FieldTables, Choices) {
  for (const FieldChoice& row : field_choices()) {
    SCOPED_TRACE(std::string{row.message}.append(".").append(row.field));
    const Field* const field = own_field(row);
    ASSERT_TRUE(field);
    EXPECT_TRUE(!field->repeated && field->wire() == Wire::varint);
    ASSERT_TRUE(row.known.empty() ? field->type == Type::enumeration
                                  : field->is_integer() || field->type == Type::enumeration);
    std::vector<std::uint64_t> known = row.known;
    for (const Name& name : row.known.empty() ? field->enum_values() : std::span<const Name>{})
      known.push_back(name.value);
    const auto faults_at = [&](std::uint64_t number) {
      return faults(row.message, row.field, value_unknown, with_number(*field, static_cast<std::int64_t>(number)));
    };
    for (const std::uint64_t value : known) EXPECT_EQ(faults_at(value | row.free_bits), 0u) << value;
    EXPECT_EQ(faults_at(*std::ranges::max_element(known) + 1), 1u);
  }
}

// What they refuse is in the cases of crit-check.
TEST(FieldTables, Relations) {
  for (const FieldRelation& row : field_relations()) {
    SCOPED_TRACE(std::string{row.message}.append(".").append(row.field));
    EXPECT_TRUE(field_of(row.message, row.field));
    EXPECT_TRUE(row.rule == list_length || row.rule == value_range || row.rule == value_unknown);
    ASSERT_TRUE(row.fault);
    (void)row.fault(Record{*find_message(row.message), {}});
  }
}

TEST(FieldTables, NoFieldOfThatName) {
  EXPECT_TRUE(field_of("core_entry", "tc.sigactions"));
  EXPECT_FALSE(field_of("no_entry", "id"));
  EXPECT_FALSE(field_of("core_entry", "no_field"));
  EXPECT_FALSE(field_of("core_entry", "tc.no_field"));
  EXPECT_FALSE(field_of("core_entry", "mtype.tc"));
}

}  // namespace
}  // namespace critpipe
