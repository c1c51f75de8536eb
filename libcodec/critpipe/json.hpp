// json: Images as JSON and back: crit's dialect, byte for byte, and forms for what crit loses.
//
//     {"magic": "FS", "entries": [{"cwd_id": 1, "root_id": 2}]}
//
//     StringOutput json;
//     Error error = image_to_json("dump/fs-12.img", json, {.pretty = true});
//     if (!error) error = replace_file("fs-12.img", [&](Output& image) {
//       const std::string text = json.take();
//       return json_to_image(bytes_of(text), image);
//     });
//
// A JsonSink prints what a Decoder reads. A JsonEncoder turns such text, or what Python crit and go-criu's crit print,
// into images again, with the same bytes. Where crit loses something, these stand in the JSON:
//     "head": "bare"          before "entries": a head other than the newest CRIU writes for that kind
//     {"base64": "..."}       in place of a text that is not UTF-8 (or that quoted-printable would change)
//     7                       in place of an enum's name: a value without one
//     "_unknown": [...]       last in a message: fields that the schema lacks, {"field": N, "varint" | "fixed32" |
//                             "fixed64" | "bytes" | "group": value}
//     "_wire": "..."          in an entry, base64 of its payload, where CRIU would write it differently (fields in
//                             another order, long varints); it counts as long as the fields beside it mean the same
//     "error": "..."          last in an entry or a document that could not be read to its end; encoding refuses it
//     "continued": true       last in a document whose image goes on in a later one with the same "image" and "magic",
//                             where the images of a stream were interleaved
// Padding after an extra stands as further bytes of that extra where it is not zero.
//
// Each object is for one thread at a time; distinct objects may be used by distinct threads.
//
// Sources of the facts: lib/pycriu/images/pb2dict.py, crit/crit/__main__.py.
#pragma once

#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/image.hpp"
#include "critpipe/output.hpp"
#include "critpipe/schema.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// How numbers are printed that may have 64 bits: all of the fields whose type has so many, whatever their value.
// Readers that take numbers for doubles round those above 2^53; text comes through.
enum class BigNumbers : std::uint8_t { number, text };

// How to print an image.
struct JsonOptions {
  enum class Form : std::uint8_t {
    document,        // {"magic": ..., "entries": [...]}
    named_document,  // {"image": NAME, "magic": ..., "entries": [...]}, one a line
    lines            // {"image": NAME, "magic": ..., "index": N, "entry": {...}}, one entry a line; an image without
                     // entries is one named document
  };
  Form form = Form::document;
  bool pretty = false;  // annotated fields as people read them; documents are indented
  bool payload = true;  // extras; otherwise their size: "... <64KB>"
  bool newline = true;  // after a document
  bool wire = true;     // "head" and "_wire", which only the way back needs
  bool raw = false;     // the bytes of raw images as base64; otherwise their size
  BigNumbers big_numbers = BigNumbers::number;
  std::shared_ptr<const SetId> set =
      {};  // named documents and lines: "checkpoint" and "set" behind "image"; null: none
};

class JsonSink : public Sink {
 public:
  JsonSink(Output& output, const JsonOptions& options);
  ~JsonSink() override;
  Step begin(const Image& image) override;
  Step resume(const Image& image, std::uint64_t nr_entries) override;
  Step entry(const Entry& entry) override;
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) override;
  Step part(const ExtraPart& part) override;
  Step bytes(Bytes bytes) override;
  Step padding(Bytes bytes) override;
  Step close() override;
  Step raw(Bytes bytes) override;
  Step pass_over(std::uint64_t size) override;
  Step end() override;
  void fail(const Error& error) override;
  // Ends the document for now; the rest of the image will be in another. False: impossible within an entry.
  bool pause();

 private:
  class CRITPIPE_INNER Writer;
  std::unique_ptr<Writer> writer_;
};

// One message as a JSON object, as it stands among the entries of an image.
struct MessageOptions {
  bool pretty = false;     // annotated fields as people read them
  bool canonical = false;  // the payload is known to be written as CRIU writes it: Entry::canonical
  BigNumbers big_numbers = BigNumbers::number;
};
// Prints a checked payload as a JSON object. The output's error() says what fails.
void print_message(Output& output, const Message& message, Bytes payload, const MessageOptions& options = {});

// A text as a JSON string, with its quotes.
std::string json_string(std::string_view text);

// Receives what a JsonEncoder makes. For each image: begin, bytes*, end; or, where others interrupt it, begin, bytes*,
// pause, the others, begin with the same name, bytes*, ... end.
class EncodeSink {
 public:
  // What is known of an image when it begins.
  struct Begin {
    std::string_view name;       // empty where the JSON gives none
    const Kind* kind = nullptr;  // null: raw
    bool lines = false;          // its entries come one a line, or it has none
  };
  virtual ~EncodeSink() = default;
  // Step::stop ends the encoding. Views live until the return.
  virtual Step begin(const Begin& image) = 0;
  virtual Step bytes(Bytes) = 0;
  virtual Step pause() { return Step::go; }  // the image goes on in a later document
  virtual Step end() = 0;                    // the image is complete
  // A raw image that the JSON names without its bytes, which have to come from elsewhere.
  virtual Step missing_raw(std::string_view name, std::uint64_t size) = 0;
  // Something is encoded as it stands, and is hardly what was meant: `image`, `entry` and `offset` in the text say
  // where. Reasons: rounded_number, unaligned_mapping, overlapping_mapping; at the end of the text, where so many
  // numbers look rounded that it is no chance, rounded_numbers.
  virtual void doubt(const Error& /*why*/) {}
};

// Push parser: JSON text in blocks of any size, images out. Holds one entry, not the text.
class JsonEncoder {
 public:
  JsonEncoder(EncodeSink& sink, std::string_view source_name, const Limits& limits = {});
  ~JsonEncoder();
  // Encodes the entries of large images on so many threads, this one included; the sink is called by this one alone.
  // What comes out is the same.
  void use_threads(unsigned threads);
  // The next block of the text, and its end. Step::stop: error() says why, or the sink returned it.
  Step feed(Bytes text);
  Step finish();
  // The image in which the fault lies, the entry, and the offset in the JSON text.
  const Error& error() const;

 private:
  class CRITPIPE_INNER Parser;
  std::unique_ptr<Parser> parser_;
};

// The payload of one entry from its JSON object. Reasons: bad_json, bad_json_value, bad_missing.
[[nodiscard]] Error encode_message(const Message& message, std::string_view json, std::string& payload);

// An image as JSON. What was read before an error is printed, and the document ends with "error", which json_to_image
// refuses.
[[nodiscard]] Error image_to_json(const std::string& path, Output& json, const JsonOptions& options = {},
                                  const Limits& limits = {});
[[nodiscard]] Error image_to_json(Bytes image, std::string_view name, Output& json, const JsonOptions& options = {},
                                  const Limits& limits = {});
// An image from its JSON, in any form that crit-fromjson takes. After an error the output must not be used. Reasons:
// bad_json, bad_json_value, cut_json, incomplete_json, ...; raw_image: its bytes are not in the JSON; usage: a second
// image.
[[nodiscard]] Error json_to_image(const std::string& path, Output& image, const Limits& limits = {});
[[nodiscard]] Error json_to_image(Bytes json, Output& image, const Limits& limits = {});

// A writer for any JSON. Members stand in the order of the calls; commas and indentation come by themselves.
//
//     json.begin('{').key("pid").number(1).key("comm").text("init").end('}');
class JsonWriter {
 public:
  JsonWriter(Output& output, bool indent, BigNumbers big_numbers = BigNumbers::number)
      : output_{output}, indent_{indent}, big_numbers_{big_numbers} {}

  JsonWriter& begin(char bracket);  // '{' or '['
  JsonWriter& end(char bracket);
  JsonWriter& key(std::string_view name);  // must not need escapes
  // Not below 0. Of a type of 64 bits it is one of the big numbers.
  template <std::integral Number>
  JsonWriter& number(Number value) {
    return number(static_cast<std::uint64_t>(value), sizeof value == 8);
  }
  JsonWriter& number(std::uint64_t value, bool is_big);
  JsonWriter& raw(std::string_view json);  // a value that is JSON already, on one line
  JsonWriter& boolean(bool value);
  JsonWriter& null();                                          // the word
  JsonWriter& text(std::string_view text);                     // a byte that is not part of UTF-8 becomes U+FFFD
  JsonWriter& bytes(Bytes bytes);                              // as text if it is UTF-8, else {"base64": ...}
  JsonWriter& hex(std::uint64_t value);                        // as text, without 0x
  JsonWriter& message(const Message& message, Bytes payload);  // as crit-tojson prints it
  void line_end() { output_.write("\n"); }

 private:
  void separate();
  int depth() const;

  Output& output_;
  bool indent_;
  BigNumbers big_numbers_;
  bool after_key_ = false;
  std::vector<bool> has_members_;  // of what is open
};

// A name from an image, which may be any bytes. Where it is no UTF-8, a further key "KEY_base64" has all of them.
JsonWriter& put_name(JsonWriter& json, std::string_view key, std::string_view name);
// The same for a list: "KEY_base64" is one, too, with all of the names.
JsonWriter& put_names(JsonWriter& json, std::string_view key, std::span<const std::string> names);

// The first two keys of whatever is said about a set of images: "checkpoint" and "set".
JsonWriter& put_set(JsonWriter& json, const SetId& set);

}  // namespace critpipe
#pragma GCC visibility pop
