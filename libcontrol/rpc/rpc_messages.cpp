#include "rpc/rpc_messages.hpp"

#include <cassert>

namespace critpipe {

const Message& message_of(RpcMessage message) {
  static constexpr std::string_view names[] = {"criu_req", "criu_resp", "criu_opts"};
  const Message* found = find_message(names[static_cast<std::size_t>(message)]);
  assert(found);
  return *found;
}

void append_number(const Field& field, std::uint64_t value, std::string& out) {
  append_varint(out, field.tag);
  append_varint(out, value);
}

void append_bytes(const Field& field, std::string_view bytes, std::string& out) {
  append_varint(out, field.tag);
  append_varint(out, bytes.size());
  out += bytes;
}

std::uint64_t number_in(const Message& message, Bytes payload, std::string_view name, std::uint64_t otherwise) {
  const Field* field = message.find(name);
  return field ? integer_or(*field, message, payload, otherwise) : otherwise;
}

Bytes bytes_in(const Message& message, Bytes payload, std::string_view name) {
  const Field* field = message.find(name);
  const auto value = field ? find_value(*field, message, payload) : std::nullopt;
  return value ? value->bytes : Bytes{};
}

std::string text_in(const Message& message, Bytes payload, std::string_view name) {
  return std::string{text_of(bytes_in(message, payload, name))};
}

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace critpipe
