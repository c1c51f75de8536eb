// Any text as an expression, and any bytes as an image that it is asked about: the fast path selects what the slow path
// does, however the bytes arrive, and an entry is selected by the expression or by its inverse.
//
// Input: expression, newline, name of the image, newline, a byte of options, the image.
#include "critpipe/match.hpp"
#include "fuzz/fuzz.hpp"

namespace critpipe {
namespace {

// Hands on entry by entry: the next sink has no fast path.
class Slow final : public Stage {
 public:
  explicit Slow(Sink& to) : Stage{&to} {}
  Step entry(const Entry& entry) override {
    ++nr_entries;
    return Stage::entry(entry);
  }
  Taken many(Bytes, std::uint64_t, std::uint64_t) override { return {}; }

  std::uint64_t nr_entries = 0;
};

// What was selected, as text that can be compared.
class Selected final : public Sink {
 public:
  explicit Selected(std::string& to) : to_{to} {}
  Step begin(const Image&) override { return add("begin", {}); }
  Step entry(const Entry& entry) override { return add("entry " + std::to_string(entry.index), entry.payload); }
  Step part(const ExtraPart& part) override { return add("part", part.payload); }
  Step bytes(Bytes bytes) override { return add("", bytes); }
  Step close() override { return add("close", {}); }
  Step end() override { return add("end", {}); }

 private:
  Step add(const std::string& word, Bytes bytes) {
    if (!word.empty()) to_ += '\n' + word + ' ';
    to_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Step::go;
  }

  std::string& to_;
};

struct Answer {
  std::string selected = {};
  std::string error = {};
  std::uint64_t nr_selected = 0;
  std::uint64_t nr_entries = 0;  // of the slow path
};

enum class Path : std::uint8_t { fast, slow };

Answer select(Expression& expression, const SelectOptions& options, std::string_view name, Bytes image, Path path,
              std::uint64_t seed) {
  Answer answer;
  Select select{expression, options, std::make_unique<Selected>(answer.selected), answer.nr_selected};
  Slow slow{select};
  Decoder decoder{path == Path::slow ? static_cast<Sink&>(slow) : select, name, {.entry_bytes = 1 << 20}};
  in_pieces(image, seed, [&](Bytes piece) { return decoder.feed(piece) == Step::go; });
  (void)decoder.finish();
  answer.error = decoder.error() ? to_string(decoder.error()) : "";
  answer.nr_entries = slow.nr_entries;
  return answer;
}

void run(Bytes input) {
  const std::string_view text = take_line(input);
  const std::string_view name = take_line(input);
  const unsigned bits = take_byte(input);
  Expression expression;
  const bool any = bits & 1;
  const Error error = any ? expression.parse_any(text, {.caseless = (bits & 2) != 0, .literal = (bits & 4) != 0})
                          : expression.parse(text);
  if (error) return require(error.reason == Reason::bad_expression && error.want <= text.size() + 1);
  SelectOptions options{.keep_head = (bits & 8) != 0, .always_begin = (bits & 16) != 0};
  std::uint64_t nr_selected = 0;
  for (const bool invert : {false, true}) {
    options.invert = invert;
    const Answer slow = select(expression, options, name, input, Path::slow, 0);
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{bits} + 1}) {
      const Answer fast = select(expression, options, name, input, Path::fast, seed);
      require(fast.selected == slow.selected && fast.error == slow.error && fast.nr_selected == slow.nr_selected);
    }
    nr_selected += slow.nr_selected;
    if (invert && slow.error.empty()) require(nr_selected == slow.nr_entries);
  }
  if (bits & 32) (void)expression.unanswered();
}

}  // namespace
}  // namespace critpipe

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  critpipe::run(std::as_bytes(std::span{data, size}));
  return 0;
}
