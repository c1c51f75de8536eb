// Any bytes as an image: no crash, one answer however they arrive, JSON that is JSON, canonical forms that are fixed.
//
// Input: name of the image, newline, a byte of options, the image.
#include <simdjson.h>

#include "critpipe/fields.hpp"
#include "critpipe/json.hpp"
#include "fuzz/fuzz.hpp"

namespace critpipe {
namespace {

// Looks at the entries, and hands all calls on.
class Checks final : public Stage {
 public:
  explicit Checks(Sink& to) : Stage{&to} {}
  Step entry(const Entry& entry) override {
    message(*entry.message, entry.payload, entry.canonical);
    require(entry.index == nr_entries_++);
    return Stage::entry(entry);
  }
  Taken many(Bytes, std::uint64_t, std::uint64_t) override { return {}; }
  Step part(const ExtraPart& part) override {
    if (part.message) message(*part.message, part.payload, part.canonical);
    return Stage::part(part);
  }

 private:
  static void message(const Message& message, Bytes payload, bool is_canonical) {
    const std::string written = canonical(message, payload);
    const Bytes view = std::as_bytes(std::span{written});
    if (is_canonical) require(std::ranges::equal(view, payload));
    // Not always canonical: a number may stand there twice, once as the field and once with another wire type.
    require(check(message, view).reason == Reason::none);
    require(canonical(message, view) == written);
  }

  std::uint64_t nr_entries_ = 0;
};

struct Answer {
  std::string text;
  std::string error;
  bool operator==(const Answer&) const = default;
};

// checked: entry by entry; else the sink may take many at once.
Answer decode(std::string_view name, Bytes image, const JsonOptions& options, std::uint64_t seed, bool checked) {
  StringOutput output;
  JsonSink json{output, options};
  Checks checks{json};
  Decoder decoder{checked ? static_cast<Sink&>(checks) : json, name, {.entry_bytes = 1 << 20}};
  in_pieces(image, seed, [&](Bytes piece) { return decoder.feed(piece) == Step::go; });
  (void)decoder.finish();
  return {output.take(), decoder.error() ? to_string(decoder.error()) : ""};
}

// One document, or one in each line.
void expect_json(std::string_view text, bool lines) {
  simdjson::dom::parser parser;
  while (!text.empty()) {
    const std::size_t size = lines ? text.find('\n') : text.size();
    require(size != text.npos);
    require(parser.parse(text.data(), size, true).error() == simdjson::SUCCESS);
    text.remove_prefix(std::min(size + 1, text.size()));
  }
}

void run(Bytes input) {
  const std::string_view name = take_line(input);
  const unsigned bits = take_byte(input);
  JsonOptions options;
  options.form = form_of(bits);
  options.pretty = bits & 4;
  options.payload = !(bits & 8);
  options.raw = bits & 16;
  const Answer whole = decode(name, input, options, 0, true);
  require(whole == decode(name, input, options, bits + 1, true));
  require(whole == decode(name, input, options, 0, false));
  expect_json(whole.text, options.form != JsonOptions::Form::document);
}

}  // namespace
}  // namespace critpipe

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  critpipe::run(std::as_bytes(std::span{data, size}));
  return 0;
}
