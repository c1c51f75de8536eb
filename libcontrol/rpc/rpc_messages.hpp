// Messages of CRIU's RPC, built and read through the field tables.
#pragma once

#include <string>
#include <string_view>

#include "critpipe/fields.hpp"

namespace critpipe {

enum class RpcMessage : std::uint8_t { request, response, options };
const Message& message_of(RpcMessage message);

// Append one field to a payload.
void append_number(const Field& field, std::uint64_t value, std::string& out);
void append_bytes(const Field& field, std::string_view bytes, std::string& out);

// Values of fields of a checked payload, by name. A field that is not there gives `otherwise`, or nothing.
std::uint64_t number_in(const Message& message, Bytes payload, std::string_view name, std::uint64_t otherwise);
std::string text_in(const Message& message, Bytes payload, std::string_view name);
Bytes bytes_in(const Message& message, Bytes payload, std::string_view name);

std::string_view text_of(Bytes bytes);
// CRIU's name of an enum's value without what only the schema needs: NONE for CG_NONE.
inline std::string_view enum_word(std::string_view name) { return name.substr(name.starts_with("CG_") ? 3 : 0); }

}  // namespace critpipe
