// Edits of one field; all others keep their bytes.
#include <limits>

#include "critpipe/fields.hpp"

namespace critpipe {

namespace {

Error refused(std::string_view path, std::string_view why) {
  Error error{Reason::usage};
  error.name = "field " + std::string{path} + " " + std::string{why};
  return error;
}

// Does the type hold that integer?
bool holds(Type type, const FieldValue& value) {
  using Signed32 = std::numeric_limits<std::int32_t>;
  const auto as_signed = static_cast<std::int64_t>(value.integer);
  const bool fits_signed = value.is_negative || as_signed >= 0;
  switch (type) {
    case Type::int32:
    case Type::sint32:
    case Type::sfixed32:
    case Type::enumeration: return fits_signed && as_signed >= Signed32::min() && as_signed <= Signed32::max();
    case Type::int64:
    case Type::sint64:
    case Type::sfixed64: return fits_signed;
    case Type::uint32:
    case Type::fixed32: return !value.is_negative && value.integer <= std::numeric_limits<std::uint32_t>::max();
    case Type::uint64:
    case Type::fixed64: return !value.is_negative;
    case Type::boolean: return value.integer <= 1;
    default: return false;
  }
}

std::string encoded(const Field& field, const FieldValue& value) {
  std::string out;
  append_varint(out, field.tag);
  const std::uint64_t zigzag = value.is_negative ? ~(value.integer << 1) : value.integer << 1;
  switch (field.wire()) {
    case Wire::fixed32: out.append(reinterpret_cast<const char*>(&value.integer), 4); break;
    case Wire::fixed64: out.append(reinterpret_cast<const char*>(&value.integer), 8); break;
    case Wire::bytes:
      append_varint(out, value.text.size());
      out += value.text;
      break;
    default: append_varint(out, field.type == Type::sint32 || field.type == Type::sint64 ? zigzag : value.integer);
  }
  return out;
}

// The payload with all values of the field replaced by the one that is encoded.
std::string replaced(const Message& message, Bytes payload, const Field& field, std::string_view with) {
  std::string out;
  out.reserve(payload.size() + with.size());
  bool placed = false;
  const std::byte* before = payload.data();
  for (Fields fields{message, payload}; fields.next(); before = fields.at()) {
    const std::uint32_t number = fields.value().number;
    if (!placed && number > field.number) {
      out += with;
      placed = true;
    }
    if (number != field.number)
      out.append(reinterpret_cast<const char*>(before), reinterpret_cast<const char*>(fields.at()));
  }
  if (!placed) out += with;
  return out;
}

std::string_view take_name(std::string_view& path) {
  const std::size_t dot = path.find('.');
  const std::string_view name = path.substr(0, dot);
  path = dot == path.npos ? std::string_view{} : path.substr(dot + 1);
  return name;
}

}  // namespace

std::string without(const Message& message, Bytes payload, const Field& field) {
  return replaced(message, payload, field, {});
}

FoundValue value_at(const Message& message, Bytes payload, std::string_view path) {
  const Field* field = message.find(take_name(path));
  if (!field || field->repeated) return {};
  std::optional<Value> value = find_value(*field, message, payload);
  if (path.empty()) return {value, field};
  if (!value || field->type != Type::message) return {};
  return value_at(field->message(), value->bytes, path);
}

Error set_field(const Message& message, std::string& payload, std::string_view path, const FieldValue& value) {
  std::string_view rest = path;
  const std::string_view name = take_name(rest);
  const Field* field = message.find(name);
  if (!field) return refused(name, "is not in " + std::string{message.name});
  if (field->repeated) return refused(name, "is repeated");
  const Bytes bytes = std::as_bytes(std::span{payload});
  if (rest.empty()) {
    const bool is_text = field->type == Type::string || field->type == Type::bytes;
    if (is_text != value.is_text || (!is_text && !holds(field->type, value)))
      return refused(name, "cannot hold this value");
    payload = replaced(message, bytes, *field, encoded(*field, value));
    return {};
  }
  if (field->type != Type::message) return refused(name, "has no fields of its own");
  std::string inner;
  // Of a message that stands twice, canonical() makes one.
  const std::string whole = canonical(message, bytes);
  if (const auto old = find_value(*field, message, std::as_bytes(std::span{whole})))
    inner.assign(reinterpret_cast<const char*>(old->bytes.data()), old->bytes.size());
  if (Error error = set_field(field->message(), inner, rest, value)) return error;
  payload = replaced(message, bytes, *field, encoded(*field, std::string_view{inner}));
  return {};
}

}  // namespace critpipe
