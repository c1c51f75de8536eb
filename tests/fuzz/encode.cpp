// Any text as JSON: no crash, the same answer however it arrives, and images that the decoder takes.
#include "fuzz/images.hpp"

namespace critpipe {
namespace {

class Nothing final : public Sink {
 public:
  Step entry(const Entry&) override { return Step::go; }
};

void run(Bytes text) {
  const Encoded whole = encode(text, 0);
  const Encoded pieces = encode(text, text.size() + 1);
  // Of several faults in a text another one may be named first.
  require(whole.error.empty() == pieces.error.empty());
  if (!whole.error.empty()) return;
  require(whole == pieces);
  for (const Images::Named& image : whole.images) {
    require(image.complete);
    Nothing sink;
    Decoder decoder{sink, image.name};
    (void)decoder.feed(std::as_bytes(std::span{image.bytes}));
    (void)decoder.finish();
    require(!decoder.error());
  }
}

}  // namespace
}  // namespace critpipe

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  critpipe::run(std::as_bytes(std::span{data, size}));
  return 0;
}
