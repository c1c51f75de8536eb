// What CRIU and the kernel take in single fields: lengths of lists, ranges of numbers, values. Internal.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "check/record.hpp"
#include "critpipe/check.hpp"

namespace critpipe {

// A row names a field by its message; it holds wherever the message is. One that names none holds nowhere.

// How many values a list has, or bytes a text; an empty one may be there for what CRIU did not write.
struct FieldLength {
  static constexpr std::uint64_t no_most = ~std::uint64_t{0};
  std::string_view message, field;
  std::uint64_t least, most;
  bool may_be_empty = false;
  std::uint64_t unit = 1;  // a multiple of it
  Severity severity = Severity::error;
};
std::span<const FieldLength> field_lengths();

struct FieldRange {
  std::string_view message, field;
  std::int64_t least, most;
  Severity severity = Severity::error;
};
std::span<const FieldRange> field_ranges();

// A value that CRIU must know, but for bits that go with any; those of the schema where none are listed.
struct FieldChoice {
  std::string_view message, field;
  std::vector<std::uint64_t> known = {};
  std::uint64_t free_bits = 0;
  Severity severity = Severity::error;
};
std::span<const FieldChoice> field_choices();

// A field that depends on others. The text says what is wrong; empty: nothing.
struct FieldRelation {
  std::string_view message, field;  // or one of a message in it: "tc.sigactions"
  std::string_view rule;
  std::string (*fault)(const Record& record);
  Severity severity = Severity::error;
};
std::span<const FieldRelation> field_relations();

// The field of a row; null: there is none.
const Field* field_of(std::string_view message, std::string_view field);

constexpr std::string_view list_length = "list-length", value_range = "value-range", value_unknown = "value-unknown";

// A field that a restore does not take.
struct FieldFault {
  std::string_view rule = {};  // one of those three
  Severity severity = Severity::error;
  std::string image = {};  // its name within the set
  std::uint64_t entry = 0;
  std::string field = {};  // "tc.rlimits.rlimits[7].cur"
  std::string reason = {};
};

// Looks at the fields of an entry. Faults lack the place of the entry.
void look_at_fields(const Message& message, Bytes payload, const std::function<void(FieldFault&&)>& report);

std::string unknown_value(std::uint64_t value);

}  // namespace critpipe
