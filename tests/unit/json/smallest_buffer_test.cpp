// Printers and encoders on the messages that need the most room, in buffers that have the least: at every place in the
// buffer the text is the same, and nothing is written or read outside.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <map>

#include "json/parse/encode_fast_path.hpp"
#include "json/print/print_fast_path.hpp"
#include "unit/testing.hpp"

namespace critpipe {
namespace {

using namespace testing;

// How many messages may stand in each other, up to `levels`.
int height(const Message& message, int levels) {
  static std::map<std::pair<const Message*, int>, int> known;
  if (levels == 0) return 0;
  const auto [at, is_new] = known.try_emplace({&message, levels}, 0);
  if (!is_new) return at->second;
  int most = 0;
  for (const Field& field : message.all())
    if (field.type == Type::message) most = std::max(most, 1 + height(field.message(), levels - 1));
  return known[{&message, levels}] = most;
}

// What stands in the deepest message, in all of them, and beside what nests.
struct Filling {
  bool every_field = false;  // with the longest values; otherwise the required ones
  bool unknown = false;      // a field that the schema lacks, in each message
  std::string text = "t";
};

void append_value(std::string& out, const Field& field, const Filling& filling);

// A canonical payload that nests `levels` deep where the schema allows it.
std::string nested(const Message& message, int levels, const Filling& filling) {
  const Field* inner = nullptr;
  const int wanted = height(message, levels);
  for (const Field& field : message.all())
    if (field.type == Type::message && wanted > 0 && 1 + height(field.message(), levels - 1) == wanted) inner = &field;
  std::string out;
  for (const Field& field : message.all()) {
    if (&field == inner) {
      append_varint(out, field.tag);
      const std::string inside = nested(field.message(), levels - 1, filling);
      append_varint(out, inside.size());
      out += inside;
    } else if (field.required || (filling.every_field && field.type != Type::message)) {
      if (field.packed) append_varint(out, field.tag), append_varint(out, 15);  // three values of five bytes
      for (int times = field.repeated ? 3 : 1; times > 0; --times) append_value(out, field, filling);
    }
  }
  if (filling.unknown) out += hex("f8 ff ff ff 0f ff ff ff ff ff ff ff ff ff 01");  // field 536870911
  return out;
}

void append_value(std::string& out, const Field& field, const Filling& filling) {
  constexpr std::uint64_t all_ones = ~std::uint64_t{0};
  if (!field.packed) append_varint(out, field.tag);
  switch (field.type) {
    case Type::boolean: append_varint(out, 1); break;
    case Type::uint32:
    case Type::sint32: append_varint(out, 0xffffffff); break;
    case Type::enumeration: append_varint(out, field.enum_values().back().value); break;
    case Type::fixed32:
    case Type::sfixed32:
    case Type::float32: out.append(4, '\xff'); break;
    case Type::fixed64:
    case Type::sfixed64:
    case Type::float64: out.append(8, '\xff'); break;
    case Type::string:
    case Type::bytes:
      append_varint(out, filling.text.size());
      out += filling.text;
      break;
    case Type::message: {
      const std::string inside = nested(field.message(), 0, {});
      append_varint(out, inside.size());
      out += inside;
      break;
    }
    default: append_varint(out, all_ones); break;
  }
}

const Filling fillings[] = {{}, {true, false}, {false, true}, {true, true}};

TEST(SmallestBuffer, NestsToTheLimit) {
  const Message& message = *find_message("apparmor_entry");
  EXPECT_TRUE(check(message, view(nested(message, max_nesting, fillings[3]))).canonical);
  EXPECT_EQ(check(message, view(nested(message, max_nesting, fillings[3]))).reason, Reason::none);
  EXPECT_EQ(check(message, view(nested(message, max_nesting + 1, {}))).reason, Reason::limit_nesting);
  for (const Message& each : all_messages)
    EXPECT_TRUE(check(each, view(nested(each, max_nesting, fillings[3]))).canonical) << each.name;
}

// Keeps what is written to it, through a small buffer.
class Tight final : public Output {
 public:
  explicit Tight(std::size_t capacity) : Output{capacity} {}
  std::string text;

 private:
  bool drain(const char* bytes, std::size_t size) override {
    text.append(bytes, size);
    return true;
  }
};

// One entry, its extra of one message and of bytes, and one without an extra.
void print_image(Output& output, const Kind& kind, const std::string& payload, const JsonOptions& options) {
  JsonSink sink{output, options};
  const Image image{"name.img", &kind, kind.head};
  const bool canonical = check(*kind.first, view(payload)).canonical;
  (void)sink.begin(image);
  for (std::uint64_t index = 0; index < 2; ++index) {
    (void)sink.entry({index, 0, kind.first, view(payload), canonical, &kind});
    if (kind.extra.nested)
      for (int times = 0; times < 2; ++times) {
        (void)sink.part({"", Extra::Form::text, 3, kind.first, view(payload), canonical});
        (void)sink.bytes(view("abc"));
      }
    if (kind.extra.parts[0].form == Extra::Form::numbers) {
      (void)sink.part({"", Extra::Form::numbers, 4, nullptr, {}, true, 2});
      (void)sink.bytes(view("abcd"));
    }
    (void)sink.close();
  }
  (void)sink.end();
  (void)output.flush();
}

constexpr std::size_t small_buffer = 8192;  // grows only for what takes more than half of it at once

// From `before` bytes behind the front of the buffer on.
std::string print_tight(const Kind& kind, const std::string& payload, const JsonOptions& options, std::size_t before) {
  Tight output{before == 0 ? 1 : small_buffer};
  output.write(std::string(before, '.'));
  print_image(output, kind, payload, options);
  return output.text.substr(before);
}

template <typename Use>
void each_form(Use use) {
  for (int bits = 0; bits < 16; ++bits) {
    JsonOptions options;
    options.form = bits & 2   ? JsonOptions::Form::lines
                   : bits & 4 ? JsonOptions::Form::named_document
                              : JsonOptions::Form::document;
    options.pretty = bits & 1;
    options.payload = !(bits & 8);
    use(options);
  }
}

void expect_same_text(const Kind& kind, const Filling& filling, std::size_t step) {
  SCOPED_TRACE(kind.name);
  std::string payload = nested(*kind.first, max_nesting, filling);
  for (const bool canonical : {true, false}) {
    // The first field once more, in front of all: out of order, and merged.
    if (!canonical) payload = hex("f8 ff ff ff 0f 01") + payload;
    if (check(*kind.first, view(payload)).reason != Reason::none) return;
    each_form([&](const JsonOptions& options) {
      StringOutput roomy;
      print_image(roomy, kind, payload, options);
      const std::string wanted = roomy.take();
      for (std::size_t before = 0; before < small_buffer; before += step)
        ASSERT_EQ(print_tight(kind, payload, options, before), wanted) << before;
    });
  }
}

TEST(SmallestBuffer, PrintsTheDeepestMessage) {
  for (const Filling& filling : fillings) expect_same_text(*find_kind("APPARMOR"), filling, 41 * one_in);
}

TEST(SmallestBuffer, PrintsEveryKind) {
  for (const Kind& kind : all_kinds()) {
    if (kind.is_raw()) continue;
    for (const Filling& filling : fillings) expect_same_text(kind, filling, 1499);
  }
}

// Every place of the buffer, for the longest lines.
TEST(SmallestBuffer, PrintsAtEveryPlace) {
  const Kind& kind = *find_kind("APPARMOR");
  for (const Filling& filling : {fillings[0], fillings[2]}) {
    const std::string payload = nested(*kind.first, max_nesting, filling);
    StringOutput roomy;
    print_image(roomy, kind, payload, {.pretty = true});
    const std::string wanted = roomy.take();
    for (std::size_t before = 0; before < small_buffer; before += one_in)
      ASSERT_EQ(print_tight(kind, payload, {.pretty = true}, before), wanted) << before;
  }
}

// Texts that fill what the fast paths have, byte for byte.
TEST(SmallestBuffer, FastPathsOfAnySize) {
  const Message& message = *find_message("apparmor_entry");
  int printed = 0, encoded = 0;
  for (std::size_t size = 5000; size < 8300; ++size) {
    // The innermost one is the long one: all lengths around it grow.
    std::string deep = nested(*find_message("aa_namespace"), 0, {.text = std::string(size, 't')});
    for (int level = 1; level < max_nesting; ++level) {
      std::string around = hex("0a 01 6e 1a");
      append_varint(around, deep.size());
      deep = around + deep;
    }
    std::string top = hex("0a");
    append_varint(top, deep.size());
    top += deep;
    StringOutput long_way;
    print_message(long_way, message, view(top), {.canonical = true});
    const std::string text = long_way.take();
    const auto room = std::make_unique<char[]>(fast_path_room);
    if (const char* end = print_fast(room.get(), message, view(top))) {
      ++printed;
      ASSERT_LE(end, room.get() + fast_path_room);
      ASSERT_EQ((std::string{room.get(), static_cast<std::size_t>(end - room.get())}), text);
    }
    const std::string readable = text + std::string(64, '}');
    WireBuffer out;
    out.zeros(12);
    if (encode_fast(message, readable.data(), readable.data() + text.size(), out)) {
      ++encoded;
      (void)out.reserve(0);  // past the end of the buffer would be seen here
      ASSERT_EQ((std::string{reinterpret_cast<const char*>(out.data()) + 12, out.size() - 12}), top);
    }
  }
  EXPECT_GT(printed, 0);
  EXPECT_GT(encoded, 0);
}

// A text at the end of readable memory.
class AtTheEdge {
 public:
  AtTheEdge() {
    void* all = mmap(nullptr, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    base_ = static_cast<char*>(all);
    EXPECT_EQ(mprotect(base_ + bytes, page, PROT_NONE), 0);
  }
  ~AtTheEdge() { munmap(base_, bytes + page); }
  const char* put(std::string_view text) const {
    char* at = base_ + bytes - text.size();
    std::memcpy(at, text.data(), text.size());
    return at;
  }

 private:
  static constexpr std::size_t page = 4096, bytes = 64 * page;
  char* base_;
};

// Cut anywhere, with anything in the 64 bytes behind.
TEST(SmallestBuffer, EncodesCutText) {
  const AtTheEdge edge;
  for (const Message& message : all_messages) {
    SCOPED_TRACE(message.name);
    for (const Filling& filling : {fillings[0], fillings[1]}) {
      StringOutput output;
      print_message(output, message, view(nested(message, max_nesting, filling)), {.canonical = true});
      const std::string text = output.take();
      const std::string behind[] = {std::string(64, '}'), std::string(64, '9'), std::string(64, ' '),
                                    std::string(64, ']'), std::string(64, '"'), text + std::string(64, '}')};
      for (std::size_t cut = 1; cut <= text.size(); cut += text.size() > 4000 ? 7 : 1)
        for (const std::string& more : behind) {
          const std::string whole = text.substr(0, cut) + more.substr(more.size() > 64 ? cut : 0, 64);
          const std::string padded = whole + std::string(cut + 64 - whole.size(), '}');
          const char* at = edge.put(padded);
          WireBuffer out;
          const char* end = encode_fast(message, at, at + cut, out);
          ASSERT_TRUE(!end || end <= at + cut);
        }
    }
  }
}

}  // namespace
}  // namespace critpipe
