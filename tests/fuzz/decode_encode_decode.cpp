// An image that decodes comes back as the same bytes, whatever the form of the JSON.
//
// Input: name of the image, newline, a byte of options, the image.
#include "fuzz/images.hpp"

namespace critpipe {
namespace {

struct Json {
  std::string text;
  bool good;
};

Json decode(std::string_view name, Bytes image, const JsonOptions& options) {
  StringOutput output;
  JsonSink sink{output, options};
  Decoder decoder{sink, name, {.entry_bytes = 1 << 20}};
  (void)decoder.feed(image);
  (void)decoder.finish();
  return {output.take(), !decoder.error()};
}

void run(Bytes input) {
  const std::string_view name = take_line(input);
  // Names of images are ASCII; one that is no text has no way back.
  if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) return;
  const unsigned bits = take_byte(input);
  JsonOptions options;
  options.form = form_of(bits);
  options.pretty = bits & 4;
  options.raw = true;
  options.big_numbers = bits & 8 ? BigNumbers::text : BigNumbers::number;
  const Json json = decode(name, input, options);
  if (!json.good) return;
  const Encoded back = encode(std::as_bytes(std::span{json.text}), bits & 8 ? bits : 0);
  if (!back.error.empty()) std::fprintf(stderr, "%s\n%s\n", back.error.c_str(), json.text.c_str());
  require(back.error.empty());
  require(back.images.size() == 1 && back.images[0].complete);
  require(std::ranges::equal(std::as_bytes(std::span{back.images[0].bytes}), input));
  require(decode(name, std::as_bytes(std::span{back.images[0].bytes}), options).text == json.text);
}

}  // namespace
}  // namespace critpipe

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  critpipe::run(std::as_bytes(std::span{data, size}));
  return 0;
}
