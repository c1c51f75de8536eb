// One image by its path: walked entry by entry, or held as a whole to be edited and written again.
//
//     StoredImage image;
//     if (Error error = image.load("dump/utsns-11.img")) ...
//     if (Error error = image.entries[0].set("nodename", "plum")) ...
//     FileOutput file{STDOUT_FILENO, "standard output"};
//     image.write(file);
//
// What was not changed is written as it was read, unknown fields and extras too.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/image.hpp"
#include "critpipe/output.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Reads the image in a file, which may be compressed, into a sink; "-" is standard input. Stopping is no error.
Error decode_image(const std::string& path, Sink& sink, const Limits& limits = {});

// An integer, an enum's number, a bool (0, 1), or the bytes of a text.
struct FieldValue {
  bool is_text = false;
  bool is_negative = false;
  std::uint64_t integer = 0;
  std::string_view text = {};

  FieldValue(std::integral auto value)
      : is_negative{std::cmp_less(value, 0)}, integer{static_cast<std::uint64_t>(value)} {}
  FieldValue(std::string_view value) : is_text{true}, text{value} {}
  FieldValue(const char* value) : is_text{true}, text{value} {}
};

// Sets a field of a checked payload, once, where CRIU would write it: "cwd_id", or "reg.name" in a message that is made
// if it is not there. Reasons: usage (no such field, a repeated one, a value that it cannot hold).
Error set_field(const Message& message, std::string& payload, std::string_view path, const FieldValue& value);

struct StoredEntry {
  const Message* message = nullptr;
  std::string payload = {};
  std::string extra = {};  // as it lies in the image

  Bytes bytes() const { return std::as_bytes(std::span{payload}); }
  // The value of a field; 0, or empty, where it is absent or none of this kind. Views live until the payload changes.
  std::int64_t integer(std::string_view path) const;
  std::string_view text(std::string_view path) const;
  Error set(std::string_view path, const FieldValue& value) { return set_field(*message, payload, path, value); }
};

struct StoredImage {
  Head head = Head::none;
  const Kind* kind = nullptr;  // null: a raw image, whose bytes are not held
  std::vector<StoredEntry> entries = {};

  // Entries before a fault are held.
  Error load(const std::string& path, const Limits& limits = {});
  Step write(Output& output) const;
};

}  // namespace critpipe
#pragma GCC visibility pop
