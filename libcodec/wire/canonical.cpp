// Rewrites a checked message as CRIU would have written it: one pass puts the fields into a rope a field of the schema,
// which are then joined in the order of numbers. There is no record of each field, so that memory is bounded by sizes.
#include <algorithm>
#include <array>
#include <iterator>

#include "critpipe/fields.hpp"

namespace critpipe {

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

namespace {

void append_bytes(std::string& out, Bytes bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

template <typename Word>
void append_word(std::string& out, Word word) {
  out.append(reinterpret_cast<const char*>(&word), sizeof word);
}

void append_tag(std::string& out, std::uint32_t number, Wire wire) {
  append_varint(out, std::uint64_t{number} << 3 | static_cast<std::uint64_t>(wire));
}

// The varint that an encoder of that type writes for what a parser reads.
std::uint64_t shortest(Type type, std::uint64_t wire) {
  switch (type) {
    case Type::uint32:
    case Type::sint32: return static_cast<std::uint32_t>(wire);
    case Type::int32:
    case Type::enumeration: return static_cast<std::uint64_t>(as_integer(Type::int32, wire));
    case Type::boolean: return wire != 0;
    default: return wire;
  }
}

void append_value(std::string& out, const Value& value) {
  if (!value.field || !value.field->packed) append_tag(out, value.number, value.wire);
  switch (value.wire) {
    case Wire::varint:
      append_varint(out, value.field ? shortest(value.field->type, value.integer) : value.integer);
      break;
    case Wire::fixed64: append_word(out, value.integer); break;
    case Wire::fixed32: append_word(out, static_cast<std::uint32_t>(value.integer)); break;
    case Wire::bytes:
      append_varint(out, value.bytes.size());
      append_bytes(out, value.bytes);
      break;
    case Wire::group:
      append_bytes(out, value.bytes);
      append_tag(out, value.number, Wire::group_end);
      break;
    case Wire::group_end: break;
  }
}

// Assignment of an empty string would keep the memory.
void release(std::string& text) { std::string{}.swap(text); }

// Text in blocks: nothing is copied when it grows, and a large rope joins another without a copy.
class Rope {
 public:
  // Where to append next.
  std::string& tail() {
    if (tail_.size() >= block) {
      seal();
      tail_.reserve(block + block / 8);
    }
    return tail_;
  }
  void splice(Rope&& other) {
    if (other.blocks_.empty() && other.tail_.size() < worth_a_move) {
      tail() += other.tail_;
      return;
    }
    seal();
    other.seal();
    blocks_.insert(blocks_.end(), std::move_iterator{other.blocks_.begin()}, std::move_iterator{other.blocks_.end()});
    sealed_bytes_ += other.sealed_bytes_;
  }
  std::size_t size() const { return sealed_bytes_ + tail_.size(); }
  std::string join() && {
    if (blocks_.empty()) return std::move(tail_);
    std::string out;
    out.reserve(size());
    for (std::string& part : blocks_) {
      out += part;
      release(part);
    }
    return out += tail_;
  }

 private:
  static constexpr std::size_t block = 64 << 10;
  static constexpr std::size_t worth_a_move = 4 << 10;

  void seal() {
    if (tail_.empty()) return;
    sealed_bytes_ += tail_.size();
    blocks_.push_back(std::move(tail_));
    tail_.clear();
  }

  std::vector<std::string> blocks_;
  std::string tail_;
  std::size_t sealed_bytes_ = 0;
};

Rope rewrite(const Message& message, Bytes payload, std::string* owner);

void append_message(Rope& out, const Field& field, Bytes payload, std::string* owner) {
  Rope inside = rewrite(field.message(), payload, owner);
  std::string& tail = out.tail();
  append_tag(tail, field.number, Wire::bytes);
  append_varint(tail, inside.size());
  out.splice(std::move(inside));
}

// Of a list in one value, what belongs to each of its values.
void append_packed(Rope& out, const Value& packed) {
  const std::byte* at = packed.bytes.data();
  const std::byte* end = at + packed.bytes.size();
  Value one = packed;
  one.wire = packed.field->wire();
  one.bytes = {};
  while (at != end) {
    switch (one.wire) {
      case Wire::fixed32:
        one.integer = load_u32(at);
        at += 4;
        break;
      case Wire::fixed64:
        one.integer = load_u64(at);
        at += 8;
        break;
      default: one.integer = trusted_varint(at); break;
    }
    append_value(out.tail(), one);
  }
}

// Fields that no schema knows, one after the other in the order of the wire; sorted by their numbers at the end.
class UnknownFields {
 public:
  void add(const Value& value) {
    is_sorted_ = is_sorted_ && value.number >= last_number_;
    last_number_ = value.number;
    append_value(text_, value);
  }
  void sort(const Message& message) {
    for (unsigned shift = 0; !is_sorted_ && shift < 32; shift += 8) sort_by_digit(message, shift);
    rest_ = std::as_bytes(std::span{text_});
  }
  // Those with smaller numbers, which have not been appended yet.
  void append_below(Rope& out, const Message& message, std::uint64_t number) {
    while (!rest_.empty()) {
      Fields fields{message, rest_};
      if (!fields.next() || fields.value().number >= number) return;
      const auto size = static_cast<std::size_t>(fields.at() - rest_.data());
      append_bytes(out.tail(), rest_.first(size));
      rest_ = rest_.subspan(size);
    }
  }

 private:
  // One pass of a radix sort, which keeps the order of what is equal.
  void sort_by_digit(const Message& message, unsigned shift) {
    const auto for_each = [&](auto use) {
      const Bytes all = std::as_bytes(std::span{text_});
      const std::byte* begin = all.data();
      for (Fields fields{message, all}; fields.next(); begin = fields.at())
        use(fields.value().number >> shift & 0xff, Bytes{begin, fields.at()});
    };
    std::array<std::size_t, 257> begins = {};
    for_each([&](std::uint32_t digit, Bytes field) { begins[digit + 1] += field.size(); });
    if (std::ranges::find(begins, text_.size()) != begins.end()) return;
    for (std::size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
    std::string sorted(text_.size(), '\0');
    for_each([&](std::uint32_t digit, Bytes field) {
      std::memcpy(sorted.data() + begins[digit], field.data(), field.size());
      begins[digit] += field.size();
    });
    text_ = std::move(sorted);
  }

  std::string text_;
  Bytes rest_;
  std::uint32_t last_number_ = 0;
  bool is_sorted_ = true;
};

// What a payload has of one field.
struct FieldText {
  const Field* field;
  Rope rope = {};           // canonical; of a message that is not repeated instead:
  Bytes once = {};          // where it stands once
  std::string merged = {};  // where it stands several times, or once in bytes that go away before it is rewritten
};

// The fields of a payload, each with what there is of it.
class FieldTexts {
 public:
  explicit FieldTexts(const Message& message) : message_{message} {
    std::fill_n(places_.begin(), message.nr_fields, nowhere);
  }
  void add(const Value& value, bool may_keep_view) {
    const Field& field = *value.field;
    FieldText& text = text_of(field);
    if (field.type == Type::message) {
      if (field.repeated) return append_message(text.rope, field, value.bytes, nullptr);
      if (may_keep_view && text.once.data() == nullptr && text.merged.empty()) {
        text.once = value.bytes;
        return;
      }
      append_bytes(text.merged, std::exchange(text.once, {}));
      append_bytes(text.merged, value.bytes);
    } else if (value.wire != field.wire()) {
      append_packed(text.rope, value);
    } else {
      if (!field.repeated) text.rope = {};
      append_value(text.rope.tail(), value);
    }
  }
  std::vector<FieldText>& in_order() {
    std::ranges::sort(texts_, {}, [](const FieldText& text) { return text.field->number; });
    return texts_;
  }

 private:
  static constexpr std::uint8_t nowhere = 0xff;

  FieldText& text_of(const Field& field) {
    std::uint8_t& place = places_[static_cast<std::size_t>(&field - message_.fields)];
    if (place == nowhere) {
      place = static_cast<std::uint8_t>(texts_.size());
      texts_.push_back({&field});
    }
    return texts_[place];
  }

  const Message& message_;
  std::array<std::uint8_t, Message::no_field> places_;  // in texts_; by_number is as narrow
  std::vector<FieldText> texts_;
};

// The payload lies in *owner, if there is one, which is freed as soon as it has been read.
Rope rewrite(const Message& message, Bytes payload, std::string* owner) {
  Rope out;
  if (payload.empty()) return out;
  FieldTexts texts{message};
  UnknownFields unknown;
  for (Fields fields{message, payload}; fields.next();) {
    if (fields.value().field) texts.add(fields.value(), owner == nullptr);
    else unknown.add(fields.value());
  }
  if (owner) release(*owner);
  unknown.sort(message);
  for (FieldText& text : texts.in_order()) {
    const Field& field = *text.field;
    unknown.append_below(out, message, field.number);
    if (field.packed && text.rope.size() > 0) {
      append_tag(out.tail(), field.number, Wire::bytes);
      append_varint(out.tail(), text.rope.size());
    }
    if (field.type != Type::message || field.repeated) {
      out.splice(std::move(text.rope));
      continue;
    }
    const bool is_copy = text.once.data() == nullptr;
    const Bytes bytes = is_copy ? std::as_bytes(std::span{text.merged}) : text.once;
    append_message(out, field, bytes, is_copy ? &text.merged : nullptr);
  }
  unknown.append_below(out, message, ~std::uint64_t{0});
  return out;
}

}  // namespace

std::string canonical(const Message& message, Bytes payload) { return rewrite(message, payload, nullptr).join(); }

}  // namespace critpipe
