// Checks and tests a payload in one pass, for entries such as those of pagemaps.
#include <algorithm>

#include "match/match_plan.hpp"

namespace critpipe::match {

namespace {

std::uint64_t most_of(Type type) {
  switch (type) {
    case Type::boolean: return 1;
    case Type::uint32:
    case Type::sint32: return 0xffffffff;
    case Type::int32:
    case Type::enumeration: return 0x7fffffff;
    default: return ~std::uint64_t{0};
  }
}

bool is_fast(const Field& field) { return field.wire() == Wire::varint && !field.repeated && field.number < 16; }

}  // namespace

std::vector<FastField> fast_fields(const Message& message, const Plan& plan) {
  std::vector<FastField> fields;
  // An entry that has one of the others is not for the fast path: its tag is none of these.
  const auto fits = [](const Field& field) { return is_fast(field) || !field.required; };
  if (!std::ranges::all_of(message.all(), fits)) return fields;
  for (const Field& field : message.all()) {
    if (!is_fast(field)) continue;
    const auto slot = std::ranges::find(plan.slots, &field, &Plan::Slot::field);
    fields.push_back({field.tag, field.required, most_of(field.type), slot == plan.slots.end() ? nullptr : &*slot});
  }
  return fields;
}

bool run_fast_path(std::span<const FastField> fields, Bytes unchecked, std::uint64_t& bits) {
  const std::byte* at = unchecked.data();
  const std::byte* const end = at + unchecked.size();
  const FastField* field = fields.data();
  const FastField* const fields_end = field + fields.size();
  while (at < end) {
    const auto tag = std::to_integer<std::uint32_t>(*at++);
    for (;; ++field) {
      if (field == fields_end) return false;
      if (field->tag == tag) break;
      if (field->required) return false;
    }
    std::uint64_t value = load_u64(at);
    if ((value & 0x80) == 0) {
      value &= 0x7f;
      ++at;
    } else {
      const std::uint64_t ends = ~value & 0x8080808080808080;
      if (ends == 0) return false;
      value = join_sevens(value & (ends ^ (ends - 1)));
      at += (std::countr_zero(ends) >> 3) + 1;
      if (at[-1] == std::byte{0}) return false;
    }
    if (value > field->most) return false;
    if (field->slot) test_varint(*field->slot, value, bits);
    ++field;
  }
  for (; field != fields_end; ++field)
    if (field->required) return false;
  return at == end;
}

}  // namespace critpipe::match
