// One image by its path: walked entry by entry, or held as a whole to be edited and written again.
//
//     StoredImage image;
//     if (Error error = image.load("dump/utsns-11.img")) ...
//     if (Error error = image.entries[0].set("nodename", "plum")) ...
//     FileOutput file{STDOUT_FILENO, "standard output"};
//     image.write(file);
//
// What was not changed is written as it was read, unknown fields and extras too. As JSON and back in one call each:
//
//     StringOutput text;
//     if (Error error = image_to_json("dump/utsns-11.img", text)) ...
//     const std::string json = text.take();
//     error = replace_file("dump/utsns-11.img", [&](Output& file) { return json_to_image(bytes_of(json), file); });
//
// A string is a path ("-" is standard input), Bytes are what stands in a file. Both ways stream: they hold one entry.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/folder.hpp"
#include "critpipe/image.hpp"
#include "critpipe/json.hpp"
#include "critpipe/output.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Reads the image in a file, which may be compressed, into a sink; "-" is standard input. Stopping is no error.
Error decode_image(const std::string& path, Sink& sink, const Limits& limits = {});
// The same of bytes in memory, not compressed. The name, as that of a file, tells kinds apart that share a magic.
Error decode_image(Bytes image, std::string_view name, Sink& sink, const Limits& limits = {});

inline Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

// Image to JSON. What was read before a fault is printed and the document says "error"; json_to_image refuses it.
Error image_to_json(const std::string& path, Output& json, const JsonOptions& options = {}, const Limits& limits = {});
Error image_to_json(Bytes image, std::string_view name, Output& json, const JsonOptions& options = {},
                    const Limits& limits = {});
// The JSON of one image, in any form that crit-fromjson takes, to the image. After an error what was written is not to
// be used. Reasons: bad_json, bad_json_value, cut_json, incomplete_json, ...; raw_image: its bytes are not in the JSON;
// usage: a second image.
Error json_to_image(const std::string& path, Output& image, const Limits& limits = {});
Error json_to_image(Bytes json, Output& image, const Limits& limits = {});

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
  // The message with all its fields, lists too, as it stands in an image's JSON, without the extra; and another in its
  // place. The same one leaves the bytes as they are.
  std::string json() const;
  Error set_json(std::string_view json);
};

struct StoredImage {
  Head head = Head::none;
  const Kind* kind = nullptr;  // null: a raw image, whose bytes are not held
  std::vector<StoredEntry> entries = {};

  // Entries before a fault are held.
  Error load(const std::string& path, const Limits& limits = {});
  Error load(Bytes image, std::string_view name, const Limits& limits = {});
  Step write(Output& output) const;
  Error save(const std::string& path) const;  // with replace_file
};

}  // namespace critpipe
#pragma GCC visibility pop
