// The walk over the fields of a checked payload.
#include "critpipe/fields.hpp"

namespace critpipe {

namespace {

// Moves past a group whose start tag has been read; returns its inside.
Bytes trusted_group(const std::byte*& at) {
  const std::byte* begin = at;
  int depth = 1;
  const std::byte* inside_end = at;
  while (depth > 0) {
    inside_end = at;
    switch (static_cast<Wire>(trusted_varint(at) & 7)) {
      case Wire::varint: trusted_varint(at); break;
      case Wire::fixed64: at += 8; break;
      case Wire::bytes: {
        const auto size = trusted_varint(at);
        at += size;
        break;
      }
      case Wire::group: ++depth; break;
      case Wire::group_end: --depth; break;
      case Wire::fixed32: at += 4; break;
    }
  }
  return {begin, inside_end};
}

}  // namespace

bool Fields::next_of_any() {
  const auto tag = static_cast<std::uint32_t>(trusted_varint(at_));
  value_.number = tag >> 3;
  value_.wire = static_cast<Wire>(tag & 7);
  const Field* field = message_.find(value_.number);
  const bool packed = field && value_.wire == Wire::bytes && field->may_be_packed();
  value_.field = field && (field->wire() == value_.wire || packed) ? field : nullptr;
  value_.integer = 0;
  value_.bytes = {};
  switch (value_.wire) {
    case Wire::varint: value_.integer = trusted_varint(at_); break;
    case Wire::fixed64:
      value_.integer = load_u64(at_);
      at_ += 8;
      break;
    case Wire::fixed32:
      value_.integer = load_u32(at_);
      at_ += 4;
      break;
    case Wire::bytes: {
      const auto size = trusted_varint(at_);
      value_.bytes = {at_, static_cast<std::size_t>(size)};
      at_ += size;
      break;
    }
    case Wire::group: value_.bytes = trusted_group(at_); break;
    case Wire::group_end: break;
  }
  return true;
}

std::optional<Value> find_value(const Field& field, const Message& message, Bytes payload) {
  std::optional<Value> found;
  for (Fields fields{message, payload}; fields.next();)
    if (fields.value().field == &field) found = fields.value();
  return found;
}

}  // namespace critpipe
