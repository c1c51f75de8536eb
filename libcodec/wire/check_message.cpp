// The only place that reads unchecked bytes.
#include "critpipe/fields.hpp"
#include "wire/wire_fast_path.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t max_field_number = (1u << 29) - 1;

class Checker {
 public:
  Checker(const std::byte* begin, Checked& into) : result{into}, begin_{begin} {}

  bool message(const Message& message, const std::byte* at, const std::byte* end, int depth);
  // The first required field that is missing, which counts only where the wire is right.
  const Checked& missing() const { return missing_; }
  Checked& result;

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
  bool unknown_field(const Message& message, std::uint64_t tag, const std::byte*& at, const std::byte* end, int depth,
                     bool& is_packed);
  bool unknown(std::uint32_t number, Wire wire, const std::byte*& at, const std::byte* end, int depth);
  bool packed(const Field& field, const std::byte* at, const std::byte* end);
  bool length(const Field* field, const std::byte*& at, const std::byte* end, std::uint64_t& size);

  void note_missing(const Message& message, std::uint64_t missing, const std::byte* at);

  const std::byte* begin_;
  Checked missing_;
};

bool Checker::varint(const std::byte*& at, const std::byte* end, std::uint64_t& value) {
  const std::byte* start = at;
  value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (at == end) break;
    const auto byte = std::to_integer<std::uint64_t>(*at++);
    if (shift < 64) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      if ((byte == 0 && shift > 0) || (shift == 63 && byte > 1)) result.canonical = false;
      return true;
    }
  }
  return fail(Reason::bad_varint, start);
}

bool Checker::length(const Field* field, const std::byte*& at, const std::byte* end, std::uint64_t& size) {
  const std::byte* start = at;
  if (!varint(at, end, size)) return false;
  const auto left = static_cast<std::uint64_t>(end - at);
  return size <= left || fail(Reason::bad_length, start, field, size, left);
}

bool Checker::packed(const Field& field, const std::byte* at, const std::byte* end) {
  if (!field.packed || at == end) result.canonical = false;
  const auto size = static_cast<std::uint64_t>(end - at);
  const std::byte* start = at;
  switch (field.wire()) {
    case Wire::fixed32: return size % 4 == 0 || fail(Reason::bad_packed, start, &field, size);
    case Wire::fixed64: return size % 8 == 0 || fail(Reason::bad_packed, start, &field, size);
    default: break;
  }
  for (std::uint64_t number; at != end;) {
    if (!varint(at, end, number)) return fail(Reason::bad_packed, start, &field, size);
    if (!canonical_integer(field.type, number)) result.canonical = false;
  }
  return true;
}

inline bool Checker::value(const Field& field, const std::byte*& at, const std::byte* end, int depth) {
  std::uint64_t number;
  switch (field.wire()) {
    case Wire::varint:
      if (!varint(at, end, number)) return false;
      if (!canonical_integer(field.type, number)) result.canonical = false;
      return true;
    case Wire::fixed32:
    case Wire::fixed64: {
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
      missing_ = {Reason::bad_missing, false, false, static_cast<std::size_t>(at - begin_), 0, 0, &field};
}

// A field that the schema lacks, has with another wire type, or has unpacked.
bool Checker::unknown_field(const Message& message, std::uint64_t tag, const std::byte*& at, const std::byte* end,
                            int depth, bool& is_packed) {
  const auto wire = static_cast<Wire>(tag & 7);
  const Field* field = message.find(static_cast<std::uint32_t>(tag >> 3));
  is_packed = field && field->repeated && wire == Wire::bytes;
  if (!is_packed) return unknown(static_cast<std::uint32_t>(tag >> 3), wire, at, end, depth);
  std::uint64_t size;
  if (!length(field, at, end, size) || !packed(*field, at, at + size)) return false;
  at += size;
  return true;
}

bool Checker::message(const Message& message, const std::byte* at, const std::byte* end, int depth) {
  if (depth > max_nesting) return fail(Reason::limit_nesting, at, nullptr, max_nesting);
  const std::byte* const start = at;
  std::uint64_t seen = 0;
  std::uint32_t last = 0;
  const Field* last_field = nullptr;
  while (at != end) {
    const std::byte* const tag_at = at;
    std::uint64_t tag;
    if (!varint(at, end, tag)) return false;
    if (tag < 8 || tag >> 3 > max_field_number) [[unlikely]]
      return fail(Reason::bad_field_number, tag_at);
    const auto number = static_cast<std::uint32_t>(tag >> 3);
    const Field* field = message.find(number);
    if (!field || field->wire() != static_cast<Wire>(tag & 7)) [[unlikely]] {
      bool is_packed = false;
      if (!unknown_field(message, tag, at, end, depth, is_packed)) return false;
      if (!is_packed) {
        field = nullptr;
        result.has_unknown = true;
      }
    } else {
      seen |= std::uint64_t{field->required} << field->required_bit;
      if (field->packed) result.canonical = false;
      if (!value(*field, at, end, depth)) return false;
    }
    // Ascending; the same number again only where it is a list, and not one in a single value.
    const bool is_once = field && (!field->repeated || field->packed);
    if (number <= last && (number < last || field != last_field || is_once)) [[unlikely]]
      result.canonical = false;
    last = number;
    last_field = field;
  }
  if (message.required & ~seen) [[unlikely]]
    note_missing(message, message.required & ~seen, start);
  return true;
}

}  // namespace

bool check(const Message& message, Bytes payload, Checked& verdict) {
  if (is_canonical(message, payload)) [[likely]]
    return true;
  Checker checker{payload.data(), verdict};
  checker.message(message, payload.data(), payload.data() + payload.size(), 0);
  if (verdict.reason == Reason::none && !checker.missing().field) return true;
  if (verdict.reason != Reason::none) return false;
  // A message that stands twice is one message: its parts may be complete together.
  if (!verdict.canonical) {
    const std::string merged = canonical(message, payload);
    const Bytes view = std::as_bytes(std::span{merged});
    Checked of_whole;
    Checker whole{view.data(), of_whole};
    whole.message(message, view.data(), view.data() + view.size(), 0);
    if (of_whole.reason == Reason::none && !whole.missing().field) return true;
  }
  verdict = checker.missing();
  return false;
}

bool is_draft(const Message& draft, const Message& message, Bytes payload, Checked& verdict) {
  Checked of_draft;
  if (!check(draft, payload, of_draft)) return false;
  // The same field may be a list there and a message here.
  if (verdict.reason != Reason::none && verdict.reason != Reason::bad_missing) {
    verdict = of_draft;
    return true;
  }
  for (Fields fields{message, payload}; fields.next();) {
    const Value& value = fields.value();
    const Field* const field = value.field ? nullptr : draft.find(value.number);
    if (!field || field->wire() != value.wire) continue;
    verdict = of_draft;
    return true;
  }
  return false;
}

}  // namespace critpipe
