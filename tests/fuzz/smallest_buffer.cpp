// An image that decodes is printed through a small buffer as through a large one, and encodes into buffers without
// slack.
//
// Input: name of the image, newline, a byte of options, the image.
#include "fuzz/images.hpp"
#include "json/parse/encode_fast_path.hpp"

namespace critpipe {
namespace {

std::string print(std::string_view name, Bytes image, const JsonOptions& options, std::size_t capacity) {
  StringOutput output{capacity};
  JsonSink sink{output, options};
  Decoder decoder{sink, name, {.entry_bytes = 1 << 20}};
  (void)decoder.feed(image);
  (void)decoder.finish();
  return output.take();
}

// Prints each message and encodes its text again.
class Encodes final : public Sink {
 public:
  Step entry(const Entry& entry) override {
    StringOutput output{1};
    print_message(output, *entry.message, entry.payload, {.canonical = entry.canonical});
    const std::string text = output.take();
    const std::string readable = text + std::string(readable_behind_json, '}');
    WireBuffer out;
    const char* end = encode_fast(*entry.message, readable.data(), readable.data() + text.size(), out);
    require(!end || end == readable.data() + text.size());
    (void)out.reserve(0);
    return Step::go;
  }
};

void run(Bytes input) {
  const std::string_view name = take_line(input);
  const unsigned bits = take_byte(input);
  JsonOptions options;
  options.form = form_of(bits);
  options.pretty = bits & 4;
  options.payload = bits & 8;
  options.big_numbers = bits & 16 ? BigNumbers::text : BigNumbers::number;
  const std::string wanted = print(name, input, options, block_bytes);
  require(print(name, input, options, 1) == wanted);
  require(print(name, input, options, 4096 + input.size() % 8192) == wanted);
  Encodes sink;
  Decoder decoder{sink, name, {.entry_bytes = 1 << 20}};
  (void)decoder.feed(input);
  (void)decoder.finish();
}

}  // namespace
}  // namespace critpipe

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  critpipe::run(std::as_bytes(std::span{data, size}));
  return 0;
}
