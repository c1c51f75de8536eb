// Plans at work: one walk over a payload, which reads only what somebody asks for.
#include <algorithm>

#include "match/plan.hpp"
#include "text/quoted.hpp"

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

// The words of an address stand one after the other; `at` is behind the tag of the first.
void look_at_address(const Plan::Slot& slot, const std::byte* at, const std::byte* end, std::uint64_t& bits) {
  std::uint32_t words[5];
  std::size_t nr_words = 0;
  for (;;) {
    const auto word = static_cast<std::uint32_t>(trusted_varint(at));
    if (nr_words < 5) words[nr_words++] = word;
    if (at == end || trusted_varint(at) >> 3 != slot.field->number) break;
  }
  if (nr_words != 1 && nr_words != 4) return;
  for (const Check& check : slot.checks)
    if (check.kind == Check::Kind::address && holds_address(check, words, nr_words) != check.invert) bits |= check.bit;
}

void look_at_integer(const Plan::Slot& slot, std::uint64_t wire, std::uint64_t& bits) {
  const auto integer = static_cast<std::uint64_t>(as_integer(slot.field->type, wire));
  for (const Check& check : slot.checks)
    if (holds(check, integer)) bits |= check.bit;
}

void look_at_bytes(const Plan::Slot& slot, Bytes bytes, std::uint64_t& bits) {
  for (const Check& check : slot.checks) {
    if (check.kind != Check::Kind::inside) {
      if (holds(check, bytes)) bits |= check.bit;
      continue;
    }
    std::uint64_t inside = 0;
    look(*check.scope->plan, bytes, inside);
    if (decide(check.scope->jumps, inside)) bits |= check.bit;
  }
  if (slot.inside) look(*slot.inside, bytes, bits);
}

void skip(std::uint64_t tag, const std::byte*& at) {
  switch (static_cast<Wire>(tag & 7)) {
    case Wire::varint:
      while (std::to_integer<unsigned>(*at++) >= 0x80) {}
      break;
    case Wire::fixed64: at += 8; break;
    case Wire::fixed32: at += 4; break;
    case Wire::bytes: {
      const auto size = trusted_varint(at);
      at += size;
      break;
    }
    case Wire::group:
      for (;;) {
        const auto inner = trusted_varint(at);
        if (static_cast<Wire>(inner & 7) == Wire::group_end) break;
        skip(inner, at);
      }
      break;
    case Wire::group_end: break;
  }
}

std::string printed(Bytes bytes) {
  std::string text;
  append_quoted(bytes, text);
  return text;
}

bool holds_text(const Check& check, Bytes bytes) {
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  if (check.kind == Check::Kind::text)
    return text == check.text || (check.unix_name && printed(bytes) == check.text);
  if (check.pattern->is_in(bytes)) return true;
  if (!check.unix_name) return false;
  const std::string shown = printed(bytes);
  return check.pattern->is_in(std::as_bytes(std::span{shown}));
}

}  // namespace

bool holds(const Check& check, std::uint64_t integer) {
  switch (check.kind) {
    case Check::Kind::integer:
      return ((((integer & check.mask) ^ check.bias) - check.low) <= check.span) != check.invert;
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

void look(const Plan& plan, Bytes payload, std::uint64_t& bits) {
  const std::byte* at = payload.data();
  const std::byte* const end = at + payload.size();
  const Plan::Slot* const slots = plan.slots.data();
  const std::size_t nr_slots = plan.slots.size();
  const Field* list = nullptr;
  while (at != end) {
    const auto tag = trusted_varint(at);
    const auto number = static_cast<std::size_t>(tag >> 3);
    if (number >= nr_slots) return;               // numbers ascend
    const Plan::Slot& slot = slots[number];
    if (!slot.field || slot.wire != static_cast<Wire>(tag & 7)) {
      skip(tag, at);
      continue;
    }
    switch (slot.wire) {
      case Wire::varint:
        if (slot.address && list != slot.field) look_at_address(slot, at, end, bits);
        list = slot.field;
        look_at_integer(slot, trusted_varint(at), bits);
        break;
      case Wire::fixed32: look_at_integer(slot, load_u32(at), bits); at += 4; break;
      case Wire::fixed64: look_at_integer(slot, load_u64(at), bits); at += 8; break;
      default: {
        const auto size = static_cast<std::size_t>(trusted_varint(at));
        look_at_bytes(slot, {at, size}, bits);
        at += size;
      }
    }
  }
}

}  // namespace critpipe::match
