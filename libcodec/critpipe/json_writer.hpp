// JSON, written as it comes: members in the order of the calls.
//
//     json.begin('{').key("pid").number(1).key("comm").text("init").end('}');
#pragma once

#include <string_view>
#include <vector>

#include "critpipe/output.hpp"
#include "critpipe/schema.hpp"
#include "critpipe/image.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

class JsonWriter {
 public:
  JsonWriter(Output& output, bool indent) : output_{output}, indent_{indent} {}

  JsonWriter& begin(char bracket);  // '{' or '['
  JsonWriter& end(char bracket);
  JsonWriter& key(std::string_view name);  // of our own: nothing in it is escaped
  JsonWriter& number(std::uint64_t value);
  JsonWriter& number_text(std::string_view digits);  // a number that is text already
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  JsonWriter& text(std::string_view text);                     // a byte that is not part of UTF-8 becomes U+FFFD
  JsonWriter& bytes(Bytes bytes);                              // as text where it is UTF-8, else {"base64": ...}
  JsonWriter& hex(std::uint64_t value);                        // as text, without 0x
  JsonWriter& message(const Message& message, Bytes payload);  // as crit-tojson prints it
  void line_end() { output_.write("\n"); }

 private:
  void separate();
  void new_line();

  Output& output_;
  bool indent_;
  bool after_key_ = false;
  std::vector<bool> has_members_;  // of what is open
};

}  // namespace critpipe
#pragma GCC visibility pop
