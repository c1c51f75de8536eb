// Scalar values: numbers and the names that stand for numbers.
#include <cstring>

#include "json/parse/message_encoder.hpp"
#include "json/parse/json_text.hpp"
#include "base/ip_address.hpp"

namespace critpipe {

namespace {

struct Range {
  std::uint64_t lowest;  // magnitude of the most negative value
  std::uint64_t highest;
  std::string_view name;
};

Range range_of(Type type) {
  switch (type) {
    case Type::uint32:
    case Type::fixed32: return {0, 0xffffffff, "uint32"};
    case Type::int32:
    case Type::sint32:
    case Type::sfixed32:
    case Type::enumeration: return {0x80000000, 0x7fffffff, "int32"};
    case Type::int64:
    case Type::sint64:
    case Type::sfixed64: return {std::uint64_t{1} << 63, ~std::uint64_t{0} >> 1, "int64"};
    default: return {0, ~std::uint64_t{0}, "uint64"};
  }
}

constexpr std::size_t long_digits = 18;

// Requires: a number of JSON.
bool is_long(std::string_view text) {
  return text.size() >= long_digits + (text[0] == '-') && text.find_first_not_of("0123456789", 1) == text.npos;
}

constexpr std::string_view rounded_hint =
    ": has a program rounded it on its way here, as jq before 1.7 does? (crit-tojson --big-numbers=text prevents it)";

bool is_delimiter(char c) { return c == ',' || c == '}' || c == ']' || is_json_blank(c); }

}  // namespace

// Most values: a few digits for an unsigned field.
bool MessageEncoder::number(const Field& field, std::string_view token) {
  const char* at = token.data();
  std::uint64_t value = static_cast<unsigned char>(*at) - std::uint64_t{'0'};
  if (value > 9) return slow_number(field, token);
  const char* last = at + long_digits;
  for (++at; at != last; ++at) {
    const std::uint64_t digit = static_cast<unsigned char>(*at) - std::uint64_t{'0'};
    if (digit > 9) break;
    value = value * 10 + digit;
  }
  if (!is_delimiter(*at) || (token[0] == '0' && at != token.data() + 1)) return slow_number(field, token);
  if (at == last && field.is_big()) [[unlikely]]
    doubts_.long_number(field, {token.data(), long_digits}, token.data());
  return put_integer(field, {value, false}, token.data());
}

bool MessageEncoder::slow_number(const Field& field, std::string_view token) {
  const std::string_view text = trim_json(token);
  Integer value;
  if (text[0] == '"') {
    if (!number_text(field, token, value)) return false;
  } else if (text == "true" || text == "false") {
    value.magnitude = text == "true";
  } else {
    const NumberFault fault = parse_json_integer(text, value);
    if (fault != NumberFault::none) return number_fault(field, fault, text, token.data());
    if (field.is_big() && is_long(text)) doubts_.long_number(field, text, token.data());
  }
  return put_integer(field, value, token.data());
}

bool MessageEncoder::put_integer(const Field& field, Integer value, const char* at) {
  const Range range = range_of(field.type);
  if (value.magnitude > (value.negative ? range.lowest : range.highest)) [[unlikely]] {
    const std::string sign = value.negative ? "-" : "";
    const std::string digits = std::to_string(value.magnitude);
    return wrong(field, at,
                 sign + digits + " is out of range for " + std::string{range.name} +
                     std::string{field.is_big() && looks_rounded(digits) ? rounded_hint : ""});
  }
  const std::uint64_t number = value.negative ? std::uint64_t{0} - value.magnitude : value.magnitude;
  const auto zigzag = [&] { return number << 1 ^ (value.negative ? ~std::uint64_t{0} : 0); };
  std::byte* out = out_.reserve(2 * WireBuffer::varint_room);
  if (!is_packed_) out = WireBuffer::put_varint(out, tag_of(field.number, field.wire()));
  switch (field.type) {
    case Type::fixed32:
    case Type::sfixed32: {
      const auto word = static_cast<std::uint32_t>(number);
      std::memcpy(out, &word, sizeof word);
      out += sizeof word;
      break;
    }
    case Type::fixed64:
    case Type::sfixed64:
      std::memcpy(out, &number, sizeof number);
      out += sizeof number;
      break;
    case Type::sint32: out = WireBuffer::put_varint(out, static_cast<std::uint32_t>(zigzag())); break;
    case Type::sint64: out = WireBuffer::put_varint(out, zigzag()); break;
    default: out = WireBuffer::put_varint(out, number); break;
  }
  out_.commit(out);
  return true;
}

bool MessageEncoder::put_double(const Field& field, std::string_view token) {
  std::string_view text = trim_json(token);
  if (text.size() >= 2 && text[0] == '"' && !unescape(token, text)) return false;
  const auto value = parse_double(text);
  if (!value) return wrong(field, token.data(), "wants a number, not " + quoted_for_error(text));
  tag(field, field.wire());
  if (field.type == Type::float32) out_.word(static_cast<float>(*value));
  else out_.word(*value);
  return true;
}

// A number or name in quotes.
bool MessageEncoder::number_text(const Field& field, std::string_view token, Integer& out) {
  std::string_view text;
  if (!unescape(token, text)) return false;
  const char* at = token.data();
  if (field.show == Show::flags) return flags(field, text, at, out);
  const NumberFault fault = parse_literal(text, out);
  const bool wide = range_of(field.type).highest > 0xffffffff;
  if (fault == NumberFault::none && wide && field.show == Show::plain && !text.starts_with("0x")) is_go_ = true;
  if (fault == NumberFault::none) return true;
  if (fault == NumberFault::not_a_number) {
    if (field.type == Type::enumeration) return name(field, text, at, field.enum_values(), out);
    if (field.show == Show::dict) return name(field, text, at, field.names(), out);
    if (field.show == Show::dev || field.show == Show::old_dev) return device(field, text, at, out);
  }
  return number_fault(field, fault, text, at);
}

bool MessageEncoder::name(const Field& field, std::string_view text, const char* at, std::span<const Name> names,
                          Integer& out) {
  for (const Name& name : names) {
    if (name.name != text) continue;
    const bool negative = field.type == Type::enumeration && name.value >> 63 != 0;
    out = {negative ? std::uint64_t{0} - name.value : name.value, negative};
    return true;
  }
  NearNames near{text};
  for (const Name& name : names) near.offer(name.name);
  return wrong(field, at, quoted_for_error(text) + " is no name that it knows, and no number" + near.sentence());
}

// "PROT_READ | PROT_WRITE | 0x10": bits that stand twice count once.
bool MessageEncoder::flags(const Field& field, std::string_view text, const char* at, Integer& out) {
  out = {};
  if (trim_json(text).empty()) return true;
  for (bool more = true; more;) {
    const std::size_t bar = text.find('|');
    more = bar != text.npos;
    const std::string_view part = trim_json(text.substr(0, bar));
    Integer bits;
    const NumberFault fault = parse_literal(part, bits);
    if (fault == NumberFault::not_a_number) {
      if (!name(field, part, at, field.names(), bits)) return false;
    } else if (fault != NumberFault::none || (bits.negative && (bar != text.npos || out.magnitude != 0))) {
      return number_fault(field, NumberFault::too_large, part, at);
    }
    out.magnitude |= bits.magnitude;
    out.negative |= bits.negative;
    text.remove_prefix(more ? bar + 1 : text.size());
  }
  return true;
}

// "MAJ:MIN" in one of the two packings.
bool MessageEncoder::device(const Field& field, std::string_view text, const char* at, Integer& out) {
  const std::size_t colon = text.find(':');
  Integer major, minor;
  if (colon == text.npos || parse_literal(text.substr(0, colon), major) != NumberFault::none ||
      parse_literal(text.substr(colon + 1), minor) != NumberFault::none || major.negative || minor.negative)
    return wrong(field, at, quoted_for_error(text) + " is no device; write \"MAJOR:MINOR\" or the number");
  const std::uint64_t a = major.magnitude, b = minor.magnitude;
  const bool kernel = field.show == Show::dev;
  const std::uint64_t a_limit = kernel ? std::uint64_t{1} << 44 : std::uint64_t{1} << 32;
  const std::uint64_t b_limit = kernel ? std::uint64_t{1} << 20 : std::uint64_t{1} << 32;
  if (a >= a_limit || b >= b_limit)
    return wrong(field, at, quoted_for_error(text) + ": a number is too large for the bits that it has");
  out.negative = false;
  if (kernel) out.magnitude = a << 20 | b;
  else
    out.magnitude =
        (a & 0xfff) << 8 | (a & ~std::uint64_t{0xfff}) << 32 | (b & 0xff) | (b & ~std::uint64_t{0xff}) << 12;
  return true;
}

bool MessageEncoder::boolean(const Field& field, std::string_view token) {
  std::string_view text = trim_json(token);
  if (text[0] == '"' && !unescape(token, text)) return false;
  const bool yes = text == "true" || text == "1";
  if (!yes && text != "false" && text != "0")
    return wrong(field, token.data(), "wants true or false, not " + quoted_for_error(text));
  tag(field, Wire::varint);
  out_.varint(yes);
  return true;
}

// One text of an address field: one word, or four.
bool MessageEncoder::addresses(const Field& field, std::string_view token) {
  std::string_view text;
  if (!unescape(token, text)) return false;
  Integer number;
  if (parse_literal(text, number) == NumberFault::none) return put_integer(field, number, token.data());
  const auto address = parse_address(text);
  if (!address) return wrong(field, token.data(), quoted_for_error(text) + " is no IPv4 or IPv6 address");
  for (std::size_t i = 0; i < address->nr_words; ++i)
    if (!put_integer(field, {address->words[i], false}, token.data())) return false;
  return true;
}

bool MessageEncoder::number_fault(const Field& field, NumberFault fault, std::string_view text, const char* at) {
  const std::string shown = quoted_for_error(text);
  switch (fault) {
    case NumberFault::fraction: return wrong(field, at, shown + " is no integer");
    case NumberFault::too_large: {
      const bool is_rounded = is_long(text) && looks_rounded(text.substr(text[0] == '-'));
      return wrong(field, at, shown + " is out of range" + std::string{is_rounded ? rounded_hint : ""});
    }
    case NumberFault::rounded:
      return wrong(field, at,
                   shown +
                       " has been rounded by a program on its way here; write all of its digits, or let crit-tojson "
                       "--big-numbers=text write them in quotes");
    default: return wrong(field, at, "wants an integer, not " + shown);
  }
}

bool MessageEncoder::integer(std::string_view token, Integer& out) {
  std::string_view text = trim_json(token);
  if (text.empty() || text[0] != '"') return parse_json_integer(text, out) == NumberFault::none;
  return unescape(token, text) && parse_literal(text, out) == NumberFault::none;
}

}  // namespace critpipe
