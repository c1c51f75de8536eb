// Base64 as it stands in crit's JSON: the standard alphabet, a line feed after every 76 characters and after the last
// line, nothing for zero bytes. In a JSON text the line feed is the two characters \n.
//
//     Base64Encoder encoder;
//     char* at = encoder.feed(block, output.reserve(Base64Encoder::json_room(block.size())));
//     at = encoder.finish(at);                          // no quotes around it
//
//     Base64Decoder decoder{Base64Decoder::Text::json};
//     at = decoder.feed(text, room_for(Base64Decoder::room(text.size())));
//     at = decoder.finish(at);                          // decoder.fault() says what is wrong
//
// Both take blocks of any size, use the widest instructions that the machine has, and may write beyond what they return
// up to the room that they ask for.
//
// Source of the facts: Python 3.14's codecs and binascii, which crit calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "critpipe/base.hpp"

namespace critpipe {

constexpr std::size_t base64_line_bytes = 57;
constexpr std::size_t base64_line_characters = 76;

class Base64Encoder {
 public:
  // Room for what feed() writes for so many bytes and finish() after it.
  static constexpr std::size_t json_room(std::size_t bytes) {
    return (bytes / base64_line_bytes + 2) * (base64_line_characters + 2) + 64;
  }
  char* feed(Bytes block, char* out);
  char* finish(char* out);  // writes the last line; then ready for the next text

 private:
  std::byte carry_[base64_line_bytes];
  std::size_t carried_ = 0;
};

// Python's lenient rule: characters outside the alphabet are skipped (also - and _), = counts only at the end.
class Base64Decoder {
 public:
  enum class Text : std::uint8_t { plain, json };  // json: between the quotes of a JSON string, escapes and all
  enum class Fault : std::uint8_t { none, one_left, padding, control, escape };

  explicit Base64Decoder(Text text = Text::plain) : json_{text == Text::json} {}

  // Room for what feed() writes for so many characters and finish() after it.
  static constexpr std::size_t room(std::size_t characters) { return characters / 4 * 3 + 3 + 64; }
  std::byte* feed(std::string_view text, std::byte* out);
  std::byte* finish(std::byte* out);  // writes what the last characters hold

  Fault fault() const { return fault_; }
  std::string sentence() const;                             // of the fault, for people
  std::uint64_t characters() const { return characters_; }  // taken so far: where the fault is

 private:
  std::byte* slow(std::string_view text, std::byte* out);
  std::byte* character(unsigned char c, std::byte* out);
  std::byte* escaped(unsigned char c, std::byte* out);

  bool json_;
  Fault fault_ = Fault::none;
  std::uint8_t escape_ = 0;  // characters of an escape still to come; 5: the one after the backslash
  std::uint16_t code_unit_ = 0;
  std::uint32_t bits_ = 0;
  std::uint64_t nr_data_ = 0;     // characters of the alphabet
  std::uint64_t nr_padding_ = 0;  // = since the last of them
  std::uint64_t characters_ = 0;
};

// The whole of a plain text, appended to out.
Base64Decoder::Fault append_decoded_base64(std::string_view text, std::string& out);

}  // namespace critpipe
