// edit: One image by its path: walked entry by entry, or held as a whole to be edited and written again.
//
//     StoredImage image;
//     if (Error error = image.load("dump/utsns-11.img")) return error;
//     if (Error error = image.entries[0].set("nodename", "plum")) return error;
//     FileOutput file{STDOUT_FILENO, "standard output"};
//     if (image.write(file) == Step::stop) return file.error();
//
// What was not changed is written as it was read, unknown fields and extras too. As JSON and back in one call each:
//
//     StringOutput text;
//     if (Error error = image_to_json("dump/utsns-11.img", text)) return error;
//     const std::string json = text.take();
//     const auto write = [&](Output& file) { return json_to_image(bytes_of(json), file); };
//     if (Error error = replace_file("dump/utsns-11.img", write)) return error;
//
// A string is a path ("-" is standard input), Bytes are what stands in a file. Both ways stream: they hold one entry.
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
