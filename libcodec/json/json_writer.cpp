#include "critpipe/json.hpp"

#include <algorithm>
#include <charconv>

#include "json/print/message_printer.hpp"
#include "base/json_escape.hpp"
#include "base/decimal.hpp"

namespace critpipe {

namespace {

constexpr std::size_t deepest_indent = 64;  // tasks may nest as deep as there are tasks
static_assert(deepest_indent <= deepest_line);

}  // namespace

int JsonWriter::depth() const { return static_cast<int>(std::min(has_members_.size(), deepest_indent)); }

// What goes before a value or a key.
void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_members_.empty()) return;
  output_.commit(put_separator(output_.reserve(member_room), indent_, depth(), !has_members_.back()));
  has_members_.back() = true;
}

JsonWriter& JsonWriter::begin(char bracket) {
  separate();
  output_.write({&bracket, 1});
  has_members_.push_back(false);
  return *this;
}

JsonWriter& JsonWriter::end(char bracket) {
  const bool had_members = has_members_.back();
  has_members_.pop_back();
  if (had_members && indent_) output_.commit(put_newline(output_.reserve(line_room), depth()));
  output_.write({&bracket, 1});
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  output_.write("\"");
  output_.write(name);
  output_.write("\": ");
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::number(std::uint64_t value, bool is_big) {
  separate();
  const bool as_text = is_big && big_numbers_ == BigNumbers::text;
  char* at = output_.reserve(max_number_text + 2);
  if (as_text) *at++ = '"';
  at = put_decimal(at, value);
  if (as_text) *at++ = '"';
  output_.commit(at);
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  output_.write(json);
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  output_.write("null");
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  separate();
  output_.write(value ? "true" : "false");
  return *this;
}

JsonWriter& JsonWriter::bytes(Bytes bytes) {
  separate();
  output_.commit(put_string(output_, output_.reserve(member_room), bytes));
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view text) {
  separate();
  output_.write("\"");
  while (!text.empty()) {
    const std::size_t good = utf8_prefix(text);
    for (std::string_view rest = text.substr(0, good); !rest.empty();) {
      const std::size_t piece = whole_characters(rest, 4096);
      output_.commit(put_escaped(output_.reserve(max_escape * piece + 16), rest.substr(0, piece)));
      rest.remove_prefix(piece);
    }
    text.remove_prefix(good);
    if (text.empty()) break;
    output_.write("\\ufffd");
    text.remove_prefix(1);
  }
  output_.write("\"");
  return *this;
}

JsonWriter& JsonWriter::hex(std::uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  return text({digits, static_cast<std::size_t>(end - digits)});
}

JsonWriter& JsonWriter::message(const Message& message, Bytes payload) {
  separate();
  print_message(output_, message, payload, {.big_numbers = big_numbers_});
  return *this;
}

}  // namespace critpipe
