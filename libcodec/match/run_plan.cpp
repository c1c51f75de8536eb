// Runs a plan in one pass over a payload, which reads only the fields that tests name.
#include <algorithm>

#include "match/match_plan.hpp"
#include "base/quoted_printable.hpp"

namespace critpipe::match {

namespace {

bool holds_address(const Check& check, const std::uint32_t* words, std::size_t nr_words) {
  const auto same = [&](std::size_t i, std::uint32_t word) {
    return (word & check.address_mask[i]) == check.value.words[i];
  };
  if (nr_words == check.value.nr_words) {
    for (std::size_t i = 0; i < nr_words; ++i)
      if (!same(i, words[i])) return false;
    return true;
  }
  // ::ffff:10.0.0.1 is how a socket of both families holds 10.0.0.1.
  return nr_words == 4 && words[0] == 0 && words[1] == 0 && words[2] == 0xffff0000 && same(0, words[3]);
}

void test_integer(const Plan::Slot& slot, std::uint64_t wire, std::uint64_t& bits) {
  const auto integer = static_cast<std::uint64_t>(as_integer(slot.field->type, wire));
  for (const Check& check : slot.checks)
    if (check.kind != Check::Kind::address && holds(check, integer)) bits |= check.bit;
}

// The words of an address follow each other; `at` is behind the tag of the first.
void test_address(const Plan::Slot& slot, const std::byte*& at, const std::byte* end, std::uint64_t& bits) {
  std::uint32_t words[5];
  std::size_t nr_words = 0;
  for (;;) {
    const auto word = trusted_varint(at, end);
    test_integer(slot, word, bits);
    if (nr_words < 5) words[nr_words++] = static_cast<std::uint32_t>(word);
    const std::byte* next = at;
    if (at == end || trusted_varint(next, end) != slot.tag) break;
    at = next;
  }
  if (nr_words != 1 && nr_words != 4) return;
  for (const Check& check : slot.checks)
    if (check.kind == Check::Kind::address && holds_address(check, words, nr_words) != check.invert) bits |= check.bit;
}

void test_bytes(const Plan::Slot& slot, Bytes bytes, std::uint64_t& bits) {
  for (const Check& check : slot.checks) {
    if (check.kind != Check::Kind::inside) {
      if (holds(check, bytes)) bits |= check.bit;
      continue;
    }
    std::uint64_t inside = 0;
    run_plan(*check.scope->plan, bytes, inside);
    if (decide(check.scope->jumps, inside)) bits |= check.bit;
  }
  if (slot.inside) run_plan(*slot.inside, bytes, bits);
}

// Readers take and return the position, so that it stays in a register.
struct VarintRead {
  const std::byte* at;
  std::uint64_t value;
};

inline VarintRead read_varint(const std::byte* at, const std::byte* end) {
  const auto first = std::to_integer<std::uint64_t>(*at);
  if (first < 0x80) return {at + 1, first};
  const std::uint64_t value = trusted_varint(at, end);
  return {at, value};
}

inline const std::byte* skip_varint(const std::byte* at, const std::byte* end) {
  while (end - at >= 8) {
    const std::uint64_t ends = ~load_u64(at) & 0x8080808080808080;
    if (ends != 0) return at + (std::countr_zero(ends) >> 3) + 1;
    at += 8;
  }
  while (std::to_integer<unsigned>(*at++) >= 0x80) {
  }
  return at;
}

const std::byte* skip_other(std::uint64_t tag, const std::byte* at, const std::byte* end) {
  switch (static_cast<Wire>(tag & 7)) {
    case Wire::varint: return skip_varint(at, end);
    case Wire::fixed64: return at + 8;
    case Wire::fixed32: return at + 4;
    case Wire::bytes: {
      const VarintRead size = read_varint(at, end);
      return size.at + size.value;
    }
    case Wire::group:
      for (;;) {
        const VarintRead inner = read_varint(at, end);
        if (static_cast<Wire>(inner.value & 7) == Wire::group_end) return inner.at;
        at = skip_other(inner.value, inner.at, end);
      }
    case Wire::group_end: break;
  }
  return at;
}

inline const std::byte* skip(std::uint64_t tag, const std::byte* at, const std::byte* end) {
  if ((tag & 7) != static_cast<std::uint64_t>(Wire::varint)) return skip_other(tag, at, end);
  return std::to_integer<unsigned>(*at) < 0x80 ? at + 1 : skip_varint(at, end);
}

std::string printed(Bytes bytes) {
  std::string text;
  append_quoted(bytes, text);
  return text;
}

bool holds_text(const Check& check, Bytes bytes) {
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  if (check.kind == Check::Kind::text) return text == check.text || (check.unix_name && printed(bytes) == check.text);
  if (check.pattern->is_in(bytes)) return true;
  if (!check.unix_name) return false;
  const std::string shown = printed(bytes);
  return check.pattern->is_in(std::as_bytes(std::span{shown}));
}

const std::byte* test_value(const Plan::Slot& slot, const std::byte* at, const std::byte* end, std::uint64_t& bits) {
  switch (slot.way) {
    case Plan::Slot::Way::one_range:
    case Plan::Slot::Way::integers: test_integer(slot, trusted_varint(at, end), bits); return at;
    case Plan::Slot::Way::packed: {
      const auto size = static_cast<std::size_t>(trusted_varint(at, end));
      for (const std::byte* const last = at + size; at != last;) test_integer(slot, trusted_varint(at, end), bits);
      return at;
    }
    case Plan::Slot::Way::address: test_address(slot, at, end, bits); return at;
    case Plan::Slot::Way::bytes: {
      const auto size = static_cast<std::size_t>(trusted_varint(at, end));
      test_bytes(slot, {at, size}, bits);
      return at + size;
    }
    case Plan::Slot::Way::fixed: break;
  }
  const bool wide = (slot.tag & 7) == static_cast<unsigned>(Wire::fixed64);
  test_integer(slot, wide ? load_u64(at) : load_u32(at), bits);
  return at + (wide ? 8 : 4);
}

}  // namespace

bool holds(const Check& check, std::uint64_t integer) {
  switch (check.kind) {
    case Check::Kind::range: return check.range.holds(integer);
    case Check::Kind::among: return (std::ranges::find(check.values, integer) != check.values.end()) != check.invert;
    default: return check.kind == Check::Kind::present;
  }
}

bool holds(const Check& check, Bytes bytes) {
  switch (check.kind) {
    case Check::Kind::present: return true;
    case Check::Kind::filled: return !bytes.empty();
    default: return holds_text(check, bytes) != check.invert;
  }
}

void test_varints(const Plan::Slot& slot, std::uint64_t wire, std::uint64_t& bits) { test_integer(slot, wire, bits); }

void run_plan(const Plan& plan, Bytes payload, std::uint64_t& bits) {
  const Plan::Slot* slot = plan.slots.data();
  const Plan::Slot* const last = slot + plan.slots.size();
  const std::byte* at = payload.data();
  const std::byte* const end = at + payload.size();
  while (at != end && slot != last) {
    const VarintRead tag = read_varint(at, end);
    at = tag.at;
    while (slot->tag < tag.value)
      if (++slot == last) return;
    if (slot->tag != tag.value) {
      at = skip(tag.value, at, end);
      continue;
    }
    if (slot->way == Plan::Slot::Way::one_range) [[likely]] {
      const VarintRead integer = read_varint(at, end);
      at = integer.at;
      if (slot->range.holds(integer.value)) bits |= slot->bit;
    } else {
      at = test_value(*slot, at, end, bits);
    }
    if (!slot->repeated) ++slot;
  }
}

}  // namespace critpipe::match
