// The only place that reads bytes which nobody has vouched for.
#include "critpipe/entry.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t max_field_number = (1u << 29) - 1;

class Checker {
 public:
  explicit Checker(const std::byte* begin) : begin_{begin} {}

  bool message(const Message& message, const std::byte* at, const std::byte* end, int depth);
  // What is wrong with the whole: a fault of the wire, else the first required field that is missing.
  const Checked& verdict() { return result.reason == Reason::none && missing_.field ? missing_ : result; }
  Checked result;

 private:
  bool fail(Reason reason, const std::byte* at, const Field* field = nullptr, std::uint64_t want = 0,
            std::uint64_t have = 0) {
    result.reason = reason;
    result.offset = static_cast<std::size_t>(at - begin_);
    result.field = field;
    result.want = want;
    result.have = have;
    return false;
  }
  bool varint(const std::byte*& at, const std::byte* end, std::uint64_t& value);
  bool value(const Field& field, const std::byte*& at, const std::byte* end, int depth);
  bool unknown(std::uint32_t number, Wire wire, const std::byte*& at, const std::byte* end, int depth);
  bool packed(const Field& field, const std::byte* at, const std::byte* end);
  bool length(const Field* field, const std::byte*& at, const std::byte* end, std::uint64_t& size);
  void integer(Type type, std::uint64_t value);

  void note_missing(const Message& message, std::uint64_t missing, const std::byte* at);

  const std::byte* begin_;
  Checked missing_;
};

inline bool Checker::varint(const std::byte*& at, const std::byte* end, std::uint64_t& value) {
  if (at != end && std::to_integer<unsigned>(*at) < 0x80) [[likely]] {
    value = std::to_integer<std::uint64_t>(*at++);
    return true;
  }
  const std::byte* start = at;
  value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (at == end) break;
    const auto byte = std::to_integer<std::uint64_t>(*at++);
    if (shift < 64) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0 || (shift == 63 && byte > 1)) result.canonical = false;
      return true;
    }
  }
  return fail(Reason::bad_varint, start);
}

// Is the value in the form that an encoder would write for its type?
inline void Checker::integer(Type type, std::uint64_t value) {
  switch (type) {
    case Type::uint32: case Type::sint32:
      if (value >> 32) result.canonical = false;
      break;
    case Type::int32: case Type::enumeration:
      if (static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(value))) != value)
        result.canonical = false;
      break;
    case Type::boolean:
      if (value > 1) result.canonical = false;
      break;
    default: break;
  }
}

bool Checker::length(const Field* field, const std::byte*& at, const std::byte* end, std::uint64_t& size) {
  const std::byte* start = at;
  if (!varint(at, end, size)) return false;
  const auto left = static_cast<std::uint64_t>(end - at);
  return size <= left || fail(Reason::bad_length, start, field, size, left);
}

bool Checker::packed(const Field& field, const std::byte* at, const std::byte* end) {
  result.canonical = false;
  const auto size = static_cast<std::uint64_t>(end - at);
  const std::byte* start = at;
  switch (field.wire()) {
    case Wire::fixed32: return size % 4 == 0 || fail(Reason::bad_packed, start, &field, size);
    case Wire::fixed64: return size % 8 == 0 || fail(Reason::bad_packed, start, &field, size);
    default: break;
  }
  for (std::uint64_t ignored; at != end;)
    if (!varint(at, end, ignored)) return fail(Reason::bad_packed, start, &field, size);
  return true;
}

inline bool Checker::value(const Field& field, const std::byte*& at, const std::byte* end, int depth) {
  std::uint64_t number;
  switch (field.wire()) {
    case Wire::varint:
      if (!varint(at, end, number)) return false;
      integer(field.type, number);
      return true;
    case Wire::fixed32: case Wire::fixed64: {
      const std::ptrdiff_t size = field.wire() == Wire::fixed32 ? 4 : 8;
      if (end - at < size)
        return fail(Reason::bad_length, at, &field, static_cast<std::uint64_t>(size),
                    static_cast<std::uint64_t>(end - at));
      at += size;
      return true;
    }
    default: {
      if (!length(&field, at, end, number)) return false;
      const std::byte* begin = at;
      at += number;
      return field.type != Type::message || message(field.message(), begin, at, depth + 1);
    }
  }
}

bool Checker::unknown(std::uint32_t number, Wire wire, const std::byte*& at, const std::byte* end, int depth) {
  std::uint64_t size = 0;
  switch (wire) {
    case Wire::varint: return varint(at, end, size);
    case Wire::fixed32: size = 4; break;
    case Wire::fixed64: size = 8; break;
    case Wire::bytes:
      if (!length(nullptr, at, end, size)) return false;
      break;
    case Wire::group: {
      if (depth >= max_nesting) return fail(Reason::limit_nesting, at, nullptr, max_nesting);
      const std::byte* start = at;
      for (std::uint64_t tag; at != end;) {
        const std::byte* tag_at = at;
        if (!varint(at, end, tag)) return false;
        if (tag >> 3 == 0 || tag >> 3 > max_field_number) return fail(Reason::bad_field_number, tag_at);
        const auto inner = static_cast<Wire>(tag & 7);
        if (inner == Wire::group_end) {
          return tag >> 3 == number || fail(Reason::bad_group, tag_at);
        }
        if (!unknown(static_cast<std::uint32_t>(tag >> 3), inner, at, end, depth + 1)) return false;
      }
      return fail(Reason::bad_group, start);
    }
    case Wire::group_end: return fail(Reason::bad_group, at);
    default: return fail(Reason::bad_wire_type, at, nullptr, 0, static_cast<std::uint64_t>(wire));
  }
  if (static_cast<std::uint64_t>(end - at) < size)
    return fail(Reason::bad_length, at, nullptr, size, static_cast<std::uint64_t>(end - at));
  at += size;
  return true;
}

void Checker::note_missing(const Message& message, std::uint64_t missing, const std::byte* at) {
  if (missing_.field) return;
  for (const Field& field : message.all())
    if (field.required && (missing >> field.required_bit & 1) && !missing_.field)
      missing_ = {Reason::bad_missing, false, static_cast<std::size_t>(at - begin_), 0, 0, &field};
}

bool Checker::message(const Message& message, const std::byte* at, const std::byte* end, int depth) {
  if (depth > max_nesting) return fail(Reason::limit_nesting, at, nullptr, max_nesting);
  const std::byte* start = at;
  std::uint64_t seen = 0;
  std::uint32_t last = 0;
  const Field* last_field = nullptr;
  while (at != end) {
    const std::byte* tag_at = at;
    std::uint64_t tag;
    if (!varint(at, end, tag)) return false;
    if (tag < 8 || tag >> 3 > max_field_number) return fail(Reason::bad_field_number, tag_at);
    const auto number = static_cast<std::uint32_t>(tag >> 3);
    const auto wire = static_cast<Wire>(tag & 7);
    const Field* field = message.find(number);
    if (field && field->wire() != wire) {
      if (field->repeated && wire == Wire::bytes && field->wire() != Wire::bytes) {
        std::uint64_t size;
        if (!length(field, at, end, size)) return false;
        if (!packed(*field, at, at + size)) return false;
        at += size;
        last = number;
        last_field = field;
        continue;
      }
      field = nullptr;
    }
    // Ascending; the same number again only where it is a list.
    if (number <= last && (number < last || field != last_field || (field && !field->repeated)))
      result.canonical = false;
    last = number;
    last_field = field;
    if (field) [[likely]] {
      if (field->required) seen |= std::uint64_t{1} << field->required_bit;
      if (!value(*field, at, end, depth)) return false;
    } else if (!unknown(number, wire, at, end, depth)) {
      return false;
    }
  }
  if (message.required & ~seen) [[unlikely]] note_missing(message, message.required & ~seen, start);
  return true;
}

}  // namespace

Checked check(const Message& message, Bytes payload) {
  Checker checker{payload.data()};
  checker.message(message, payload.data(), payload.data() + payload.size(), 0);
  const Checked& verdict = checker.verdict();
  if (verdict.reason != Reason::bad_missing || checker.result.canonical) [[likely]] return verdict;
  // A message that stands twice is one message: its parts may be complete together.
  const std::string merged = canonical(message, payload);
  const Bytes view = std::as_bytes(std::span{merged});
  Checker whole{view.data()};
  whole.message(message, view.data(), view.data() + view.size(), 0);
  return whole.verdict().reason == Reason::none ? checker.result : verdict;
}

}  // namespace critpipe
