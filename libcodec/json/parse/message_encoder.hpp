// JSON objects -> messages on the wire, in one walk: fields in ascending number are appended as they come, others are
// sorted afterwards.
#pragma once

#include <simdjson.h>

#include <array>
#include <string>
#include <string_view>

#include "critpipe/error.hpp"
#include "critpipe/schema.hpp"
#include "json/parse/doubts.hpp"
#include "json/parse/json_number.hpp"
#include "wire/wire_buffer.hpp"

namespace critpipe {

namespace ondemand = simdjson::ondemand;

// What is wrong, and where in the text that is being read.
struct JsonFault {
  Reason reason = Reason::none;
  const char* at = nullptr;
  std::string name = {};
  std::uint64_t want = 0;
  std::uint64_t have = 0;
  bool vague = false;  // simdjson found it, and knows the place better

  bool set(Reason why, const char* where, std::string what, std::uint64_t wanted = 0, std::uint64_t had = 0) {
    *this = {why, where, std::move(what), wanted, had, false};
    return false;
  }
};

// Keys of an object that are no fields: those of entries.
class OtherKeys {
 public:
  virtual ~OtherKeys() = default;
  // Sets known if it is one. False: a fault is set.
  virtual bool take(std::string_view key, ondemand::value& value, bool& known) = 0;
  // The draft of the message, if the key is one of its fields; null: it is not.
  virtual const Message* draft_with(std::string_view /*key*/) { return nullptr; }
};

class MessageEncoder {
 public:
  MessageEncoder(WireBuffer& out, JsonFault& fault, Doubts& doubts) : out_{out}, fault_{fault}, doubts_{doubts} {}

  // Appends the payload of the message that the object says; `at` is where the object begins.
  bool message(const Message& message, ondemand::object object, const char* at, int depth, OtherKeys* others = nullptr);
  // What has been seen since begin_entry().
  bool has_unknown() const { return has_unknown_; }  // fields that are not made from the schema, and want checking
  bool is_go() const { return is_go_; }              // go-criu's dialect: 64-bit numbers in quotes
  void begin_entry() { has_unknown_ = is_go_ = false; }

  // Appends what a base64 string token means.
  bool base64(std::string_view token, WireBuffer& out);
  bool integer(std::string_view token, Integer& out);  // number or text with a number
  bool json_error(simdjson::error_code code, const char* at);

 private:
  // Which fields a message has so far.
  struct Seen {
    std::size_t begin;  // of the message in the buffer
    std::uint64_t required = 0;
    std::array<std::uint64_t, 4> fields = {};
    std::uint32_t last = 0;
    bool sorted = true;

    bool has(std::size_t index) const { return fields[index / 64] >> index % 64 & 1; }
    void add(std::size_t index) { fields[index / 64] |= std::uint64_t{1} << index % 64; }
  };

  bool field(const Message& message, const Field& field, ondemand::value& value, int depth, Seen& seen);
  bool other_key(const Message& message, const char* key, ondemand::value& value, int depth, Seen& seen,
                 OtherKeys* others);
  bool finish(const Message& message, const char* at, const Seen& seen);
  bool missing(const Message& message, const char* at, std::uint64_t required);
  bool old_pagemap(const Message& message, std::size_t begin);

  bool list(const Field& field, ondemand::value& value, const char* at, int depth);
  bool packed(const Field& field, ondemand::array& array, const char* at, int depth);
  bool elements(const Field& field, ondemand::array& array, const char* at, int depth);
  bool one(const Field& field, ondemand::value& value, std::string_view token, int depth);
  bool nested(const Field& field, ondemand::value& value, const char* at, int depth);
  bool addresses(const Field& field, std::string_view token);

  bool number(const Field& field, std::string_view token);
  bool slow_number(const Field& field, std::string_view token);
  bool put_integer(const Field& field, Integer value, const char* at);
  bool put_double(const Field& field, std::string_view token);
  bool number_text(const Field& field, std::string_view token, Integer& out);
  bool flags(const Field& field, std::string_view text, const char* at, Integer& out);
  bool name(const Field& field, std::string_view text, const char* at, std::span<const Name> names, Integer& out);
  bool device(const Field& field, std::string_view text, const char* at, Integer& out);
  bool boolean(const Field& field, std::string_view token);
  bool text(const Field& field, ondemand::value& value, std::string_view token);
  bool plain_text(const Field& field, std::string_view token);
  bool unix_name(const Field& field, std::string_view token);
  bool base64_field(const Field& field, std::string_view token);
  bool base64_object(ondemand::value& value, const Field& field);

  bool unknown_list(const Message& message, ondemand::value& value, int depth, Seen* seen);
  bool unknown_field(const Message& message, ondemand::object object, const char* at, int depth, std::uint32_t& number);
  bool unknown_value(std::uint32_t number, Wire wire, std::string_view token);

  bool number_fault(const Field& field, NumberFault fault, std::string_view text, const char* at);
  bool wrong(const Field& field, const char* at, std::string_view what);
  void tag(const Field& field, Wire wire) {
    if (!is_packed_) out_.varint(tag_of(field.number, wire));
  }
  // The text of a string token; a view into the token or into scratch_.
  bool unescape(std::string_view token, std::string_view& text);

  WireBuffer& out_;
  JsonFault& fault_;
  Doubts& doubts_;
  const Message* in_ = nullptr;  // whose fields are being read, for errors
  bool has_unknown_ = false;
  bool is_go_ = false;
  bool is_packed_ = false;  // values without tags
  std::string scratch_;
  std::string name_scratch_;
};

// Tokens as simdjson gives them: up to the next one, blanks and all.
inline std::string_view token_of(ondemand::value& value) { return value.raw_json_token(); }
inline bool is_null(std::string_view token) {
  constexpr std::string_view ends = ",]} \n\r\t";
  return token.starts_with("null") && (token.size() == 4 || ends.find(token[4]) != ends.npos);
}

}  // namespace critpipe
