// Values of every type as JSON.
#include <algorithm>

#include "json/print/message_printer.hpp"
#include "base/ip_address.hpp"
#include "base/base64.hpp"
#include "base/json_escape.hpp"
#include "base/quoted_printable.hpp"

namespace critpipe {

namespace {

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

char* put_view(char* at, std::string_view text) { return put_text(at, text.data(), text.size()); }

char* put_escaped_string(Output& output, char* at, std::string_view text) {
  constexpr std::size_t piece_bytes = 16 << 10;
  *at++ = '"';
  while (!text.empty()) {
    const std::size_t piece = whole_characters(text, piece_bytes);
    at = output.more(at, max_escape * piece + member_room);
    at = put_escaped(at, text.substr(0, piece));
    text.remove_prefix(piece);
  }
  *at++ = '"';
  return at;
}

char* put_base64_object(Output& output, char* at, Bytes bytes) {
  at = put_view(at, "{\"base64\": ");
  at = put_base64(output, at, bytes);
  *at++ = '}';
  return at;
}

char* put_major_minor(char* at, std::uint64_t major, std::uint64_t minor) {
  *at++ = '"';
  at = put_decimal(at, major);
  *at++ = ':';
  at = put_decimal(at, minor);
  *at++ = '"';
  return at;
}

char* put_flags(char* at, std::span<const Name> names, std::uint64_t value) {
  *at++ = '"';
  const char* const start = at;
  const auto separate = [&] {
    if (at != start) at = put_view(at, " | ");
  };
  for (const Name& name : names)
    if (name.value != 0 && (value & name.value) == name.value) {
      separate();
      at = put_view(at, name.name);
      value &= ~name.value;
    }
  if (value != 0) {
    separate();
    at = put_hex(at, value);
  }
  *at++ = '"';
  return at;
}

std::string_view unknown_key(Wire wire) {
  switch (wire) {
    case Wire::varint: return "\"varint\": ";
    case Wire::fixed32: return "\"fixed32\": ";
    case Wire::fixed64: return "\"fixed64\": ";
    case Wire::group: return "\"group\": ";
    default: return "\"bytes\": ";
  }
}

}  // namespace

const std::byte* skip_unknown(const Message& message, const std::byte* tag_at, const std::byte* end) {
  Fields rest{message, {tag_at, end}};
  rest.next();
  return rest.at();
}

char* put_string(Output& output, char* at, Bytes text) {
  if (!is_utf8(text_of(text))) [[unlikely]]
    return put_base64_object(output, at, text);
  return put_escaped_string(output, at, text_of(text));
}

char* put_base64(Output& output, char* at, Bytes bytes) {
  constexpr std::size_t piece_bytes = 1024 * base64_line_bytes;
  Base64Encoder encoder;
  *at++ = '"';
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), piece_bytes));
    at = encoder.feed(piece, output.more(at, Base64Encoder::json_room(piece.size()) + member_room));
    bytes = bytes.subspan(piece.size());
  }
  at = encoder.finish(at);
  *at++ = '"';
  return at;
}

char* put_bytes_field(Output& output, char* at, const Field& field, Bytes bytes, bool big_as_text) {
  if (field.show != Show::unix_name) return put_base64(output, at, bytes);
  if (!quoted_survives(bytes)) return put_base64_object(output, at, bytes);
  std::string quoted;
  append_quoted(bytes, quoted);
  // Numbers as text look like go-criu's JSON, where a name is base64.
  if (big_as_text && is_base64_name(quoted)) quoted = quoted_letter(quoted.front()) + quoted.substr(1);
  return put_escaped_string(output, at, quoted);
}

char* put_enumerator(char* at, const Field& field, std::uint64_t wire) {
  const auto number = static_cast<std::uint64_t>(as_integer(Type::enumeration, wire));
  for (const Name& name : field.enum_values())
    if (name.value == number) {
      *at++ = '"';
      at = put_view(at, name.name);
      *at++ = '"';
      return at;
    }
  return put_signed(at, static_cast<std::int64_t>(number));
}

char* put_annotated(char* at, const Field& field, std::int64_t value, bool hex) {
  const bool is_signed = field.type == Type::int32 || field.type == Type::int64 || field.type == Type::sint32 ||
                         field.type == Type::sint64 || field.type == Type::sfixed32 || field.type == Type::sfixed64;
  const auto bits = static_cast<std::uint64_t>(value);
  if (hex || field.show == Show::hex) {
    *at++ = '"';
    if (is_signed && value < 0) {
      *at++ = '-';
      at = put_hex(at, ~bits + 1);
    } else {
      at = put_hex(at, bits);
    }
    *at++ = '"';
    return at;
  }
  switch (field.show) {
    case Show::dev: return put_major_minor(at, bits >> 20, bits & 0xfffff);
    case Show::old_dev:
      return put_major_minor(at, (bits >> 8 & 0xfff) | (bits >> 32 & ~std::uint64_t{0xfff}),
                             (bits & 0xff) | (bits >> 12 & 0xfff00));
    case Show::flags: return put_flags(at, field.names(), bits);
    case Show::dict:
      for (const Name& name : field.names())
        if (name.value == bits) {
          *at++ = '"';
          at = put_view(at, name.name);
          *at++ = '"';
          return at;
        }
      break;
    default: break;
  }
  return is_signed ? put_signed(at, value) : put_decimal(at, bits);
}

char* put_address_list(Output& output, char* at, std::span<const std::uint32_t> words, bool indent, int depth) {
  at = output.more(at, member_room);
  *at++ = '[';
  if (words.size() == 1 || words.size() == 4) {
    at = put_separator(at, indent, depth + 1, true);
    *at++ = '"';
    if (words.size() == 1) {
      at = write_ipv4(at, words[0]);
    } else {
      const std::uint32_t four[4] = {words[0], words[1], words[2], words[3]};
      at = write_ipv6(at, four);
    }
    *at++ = '"';
  } else {
    // Two or three words, or five and more, are no address: shown as they are.
    for (bool first = true; const std::uint32_t word : words) {
      at = put_separator(output.more(at, member_room), indent, depth + 1, first);
      at = put_decimal(at, word);
      first = false;
    }
  }
  if (indent) at = put_newline(at, depth);
  *at++ = ']';
  return at;
}

char* put_unknown(Output& output, char* at, const Message& message, Bytes payload, bool indent, bool big_as_text,
                  int depth) {
  at = put_view(at, "\"_unknown\": [");
  bool first = true;
  for (Fields fields{message, payload}; fields.next();) {
    const Value& value = fields.value();
    if (value.field) continue;
    at = output.more(at, member_room);
    at = put_separator(at, indent, depth + 1, first);
    first = false;
    *at++ = '{';
    at = put_separator(at, indent, depth + 2, true);
    at = put_decimal(put_view(at, "\"field\": "), value.number);
    at = put_separator(at, indent, depth + 2, false);
    at = put_view(at, unknown_key(value.wire));
    if (value.wire == Wire::bytes || value.wire == Wire::group) {
      at = put_base64(output, at, value.bytes);
    } else {
      const bool as_text = big_as_text && value.wire != Wire::fixed32;
      if (as_text) *at++ = '"';
      at = put_decimal(at, value.integer);
      if (as_text) *at++ = '"';
    }
    at = output.more(at, member_room);
    if (indent) at = put_newline(at, depth + 1);
    *at++ = '}';
  }
  at = output.more(at, member_room);
  if (indent) at = put_newline(at, depth);
  *at++ = ']';
  return at;
}

}  // namespace critpipe
