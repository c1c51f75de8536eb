// edit: One image by its path: loaded, edited and saved, or converted to JSON and back.
//
//     StoredImage image;
//     if (Error error = image.load("dump/utsns-11.img")) return error;
//     if (Error error = image.entries[0].set("nodename", "plum")) return error;
//     FileOutput file{STDOUT_FILENO, "standard output"};
//     if (image.write(file) == Step::stop) return file.error();
//
// Whatever is not changed is written as it was read, including unknown fields and extras. To JSON and back:
//
//     StringOutput text;
//     if (Error error = image_to_json("dump/utsns-11.img", text)) return error;
//     const std::string json = text.take();
//     const auto write = [&](Output& file) { return json_to_image(bytes_of(json), file); };
//     if (Error error = replace_file("dump/utsns-11.img", write)) return error;
//
// A string argument is a path, "-" for standard input; Bytes are the content of a file. A StoredImage holds all entries
// in memory; the conversions hold one at a time. Distinct objects may be used by distinct threads.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/image.hpp"
#include "critpipe/json.hpp"
#include "critpipe/output.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// An entry of a StoredImage. Its members may be changed; the payload must stay valid for its message.
struct StoredEntry {
  const Message* message = nullptr;
  std::string payload = {};
  std::string extra = {};  // as stored in the image, padding included

  // The payload, for Fields.
  Bytes bytes() const { return std::as_bytes(std::span{payload}); }
  // The value of a field by its path, "reg.pos"; 0 or empty: it is absent or of another type. Views live until the
  // payload changes.
  std::int64_t integer(std::string_view path) const;
  std::string_view text(std::string_view path) const;
  // As set_field (fields.hpp). Reasons: usage.
  Error set(std::string_view path, const FieldValue& value) { return set_field(*message, payload, path, value); }
  // The whole message as in the JSON of an image, without the extra.
  std::string json() const;
  // Replaces the message by the one in this JSON. What json() gave leaves the payload unchanged. Reasons: those of
  // encode_message (json.hpp).
  Error set_json(std::string_view json);
};

// All entries of an image.
struct StoredImage {
  Head head = Head::none;
  const Kind* kind = nullptr;  // null: a raw image, whose bytes are not loaded
  std::vector<StoredEntry> entries = {};

  // Reads an image from a path, or from its content; `name` is its file name. The entries before an error are loaded.
  // Reasons: those of decode_image (source.hpp).
  Error load(const std::string& path, const Limits& limits = {});
  Error load(Bytes image, std::string_view name, const Limits& limits = {});
  // Writes the image. Step::stop: the output has failed, and its error() says how.
  Step write(Output& output) const;
  // Writes it to a file, which is replaced at once: see replace_file (output.hpp).
  Error save(const std::string& path) const;
};

}  // namespace critpipe
#pragma GCC visibility pop
