#include "critpipe/control/criu_options.hpp"

#include <algorithm>
#include <charconv>

#include "critpipe/json.hpp"
#include "rpc/rpc_messages.hpp"

namespace critpipe {

namespace {

Error refuse(std::string text) { return {.reason = Reason::usage, .name = std::move(text)}; }

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

// A number with an optional K, M or G; a minus where the type has signs.
bool parse_number(Type type, std::string_view text, std::uint64_t& value) {
  const bool is_signed = type == Type::int32 || type == Type::int64 || type == Type::sint32 || type == Type::sint64;
  const bool minus = is_signed && text.starts_with('-');
  if (minus) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x")) base = 16, text.remove_prefix(2);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc{}) return false;
  constexpr std::string_view units = "KMG";
  if (const std::size_t unit = rest.size() == 1 ? units.find(rest[0] & ~0x20) : units.npos; unit != units.npos) {
    const int shift = static_cast<int>(unit + 1) * 10;
    if (value >> (64 - shift)) return false;
    value <<= shift;
    rest = {};
  }
  const bool is_wide = type == Type::int64 || type == Type::uint64 || type == Type::sint64;
  const std::uint64_t most = is_wide ? (is_signed ? INT64_MAX : UINT64_MAX) : (is_signed ? INT32_MAX : UINT32_MAX);
  if (!rest.empty() || value > most + (minus ? 1 : 0)) return false;
  if (minus) value = ~value + 1;
  return true;
}

bool parse_bool(std::string_view text, std::uint64_t& value) {
  for (const std::string_view word : {"true", "yes", "on", "1"})
    if (same_word(text, word)) return value = 1, true;
  for (const std::string_view word : {"false", "no", "off", "0"})
    if (same_word(text, word)) return value = 0, true;
  return false;
}

std::string names_of(std::span<const Name> names) {
  std::string list;
  for (const Name& name : names) list += (list.empty() ? "" : ", ") + std::string{enum_word(name.name)};
  return lower(std::move(list));
}

bool parse_enum(std::span<const Name> names, std::string_view text, std::uint64_t& value) {
  for (const Name& name : names)
    if (same_word(name.name, text) || same_word(enum_word(name.name), text)) return value = name.value, true;
  return parse_number(Type::int32, text, value);
}

// Appends one field with the value that the text means.
Error append_value(const Field& field, std::string_view text, std::string& out) {
  const std::string name{field.name()};
  std::uint64_t value = 0;
  switch (field.type) {
    case Type::string:
    case Type::bytes: append_bytes(field, text, out); return {};
    case Type::message: {
      std::string payload;
      Error error = encode_message(field.message(), text, payload);
      if (error) return refuse(name + " wants a JSON object: " + error.name);
      append_bytes(field, payload, out);
      return {};
    }
    case Type::boolean:
      if (!parse_bool(text, value)) return refuse(name + " is true or false, not '" + visible(text) + "'");
      break;
    case Type::enumeration:
      if (!parse_enum(field.enum_values(), text, value))
        return refuse(name + " is one of " + names_of(field.enum_values()) + ", not '" + visible(text) + "'");
      break;
    default:
      if (field.wire() != Wire::varint || !parse_number(field.type, text, value))
        return refuse(name + " wants a number, not '" + visible(text) + "'");
  }
  append_number(field, value, out);
  return {};
}

Error append_path(const Message& message, std::string_view path, std::string_view text, std::string& out) {
  const std::size_t dot = path.find('.');
  const std::string_view first = path.substr(0, dot);
  const Field* field = message.find(first);
  if (!field) return refuse("there is no option '" + visible(first) + "' in " + std::string{message.name});
  if (dot == std::string_view::npos) return append_value(*field, text, out);
  if (field->type != Type::message) return refuse("the option " + std::string{first} + " has no parts");
  std::string inner;
  if (Error error = append_path(field->message(), path.substr(dot + 1), text, inner)) return error;
  append_bytes(*field, inner, out);
  return {};
}

}  // namespace

CriuOptions::CriuOptions() { (void)set("images_dir_fd", -1); }

Error CriuOptions::set(std::string_view path, const FieldValue& value) {
  return set_field(message_of(RpcMessage::options), payload_, path, value);
}

Error CriuOptions::add(std::string_view name, std::string_view value) {
  const Field* field = message_of(RpcMessage::options).find(name);
  if (!field || !field->repeated || field->type != Type::string)
    return refuse("there is no list of texts '" + visible(name) + "' in criu_opts");
  append_bytes(*field, value, payload_);
  return {};
}

Error CriuOptions::assign(std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) return refuse("wants NAME=VALUE, not '" + visible(assignment) + "'");
  const Message& message = message_of(RpcMessage::options);
  std::string changed = payload_;
  Error error = append_path(message, assignment.substr(0, equals), assignment.substr(equals + 1), changed);
  if (error) return error;
  // A message that lacks what it must have would end CRIU without an answer.
  changed = canonical(message, bytes_of(changed));
  if (const Checked checked = check(message, bytes_of(changed)); checked.reason != Reason::none)
    return refuse(std::string{assignment.substr(0, equals)} + ": the field " +
                  std::string{checked.field ? checked.field->name() : "?"} + " is missing");
  payload_ = std::move(changed);
  return {};
}

bool CriuOptions::has(std::string_view name) const {
  const Message& message = message_of(RpcMessage::options);
  const Field* field = message.find(name);
  return field && find_value(*field, message, payload());
}

std::uint64_t CriuOptions::number(std::string_view name, std::uint64_t otherwise) const {
  return number_in(message_of(RpcMessage::options), payload(), name, otherwise);
}

bool CriuOptions::is_on(std::string_view name) const { return number(name, 0) != 0; }

std::string CriuOptions::text(std::string_view name) const {
  return text_in(message_of(RpcMessage::options), payload(), name);
}

}  // namespace critpipe
