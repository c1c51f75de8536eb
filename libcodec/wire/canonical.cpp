// Rewrites a checked message as CRIU would have written it.
#include <algorithm>

#include "critpipe/fields.hpp"

namespace critpipe {

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

namespace {

void append_bytes(std::string& out, Bytes bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

template <typename Word>
void append_word(std::string& out, Word word) {
  out.append(reinterpret_cast<const char*>(&word), sizeof word);
}

void append_tag(std::string& out, std::uint32_t number, Wire wire) {
  append_varint(out, std::uint64_t{number} << 3 | static_cast<std::uint64_t>(wire));
}

// The varint that an encoder of that type writes for what a parser reads.
std::uint64_t shortest(Type type, std::uint64_t wire) {
  switch (type) {
    case Type::uint32:
    case Type::sint32: return static_cast<std::uint32_t>(wire);
    case Type::int32:
    case Type::enumeration: return static_cast<std::uint64_t>(as_integer(Type::int32, wire));
    case Type::boolean: return wire != 0;
    default: return wire;
  }
}

void append_value(std::string& out, const Value& value) {
  append_tag(out, value.number, value.wire);
  switch (value.wire) {
    case Wire::varint:
      append_varint(out, value.field ? shortest(value.field->type, value.integer) : value.integer);
      break;
    case Wire::fixed64: append_word(out, value.integer); break;
    case Wire::fixed32: append_word(out, static_cast<std::uint32_t>(value.integer)); break;
    case Wire::bytes:
      append_varint(out, value.bytes.size());
      append_bytes(out, value.bytes);
      break;
    case Wire::group:
      append_bytes(out, value.bytes);
      append_tag(out, value.number, Wire::group_end);
      break;
    case Wire::group_end: break;
  }
}

void append_message(std::string& out, const Field& field, Bytes payload) {
  const std::string inside = canonical(field.message(), payload);
  append_tag(out, field.number, Wire::bytes);
  append_varint(out, inside.size());
  out += inside;
}

void append_packed(std::string& out, const Value& packed) {
  const std::byte* at = packed.bytes.data();
  const std::byte* end = at + packed.bytes.size();
  Value one = packed;
  one.wire = packed.field->wire();
  one.bytes = {};
  while (at != end) {
    switch (one.wire) {
      case Wire::fixed32:
        one.integer = load_u32(at);
        at += 4;
        break;
      case Wire::fixed64:
        one.integer = load_u64(at);
        at += 8;
        break;
      default: one.integer = trusted_varint(at); break;
    }
    append_value(out, one);
  }
}

// All values of one field, in the order of the wire.
void append_field(std::string& out, std::span<const Value> values) {
  const Field* field = values.front().field;
  if (field && !field->repeated) {
    if (field->type != Type::message) return append_value(out, values.back());
    std::string merged;
    for (const Value& value : values) append_bytes(merged, value.bytes);
    return append_message(out, *field, std::as_bytes(std::span{merged}));
  }
  for (const Value& value : values) {
    if (field && field->type == Type::message) append_message(out, *field, value.bytes);
    else if (field && value.wire != field->wire()) append_packed(out, value);
    else append_value(out, value);
  }
}

}  // namespace

std::string canonical(const Message& message, Bytes payload) {
  std::vector<Value> values;
  for (Fields fields{message, payload}; fields.next();) values.push_back(fields.value());
  const auto group = [](const Value& value) { return std::pair{value.number, value.field == nullptr}; };
  std::ranges::stable_sort(values, {}, group);
  std::string out;
  out.reserve(payload.size());
  for (auto begin = values.begin(); begin != values.end();) {
    const auto end =
        std::find_if(begin, values.end(), [&](const Value& value) { return group(value) != group(*begin); });
    append_field(out, {begin, end});
    begin = end;
  }
  return out;
}

}  // namespace critpipe
