#include "unit/reference_printer.hpp"

#include <arpa/inet.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include "opts.pb.h"

namespace pb = google::protobuf;

namespace critpipe::testing {

namespace {

struct NamedValue {
  const char* name;
  std::uint64_t value;
};
// The lists of proto/flags.inc: "map" or "dictionary field" to names.
const std::map<std::string, std::vector<NamedValue>>& names() {
  static const std::map<std::string, std::vector<NamedValue>> all{
#define NAME(name, value) NamedValue{name, value},
#define FLAGS(key, ...) {key, {__VA_ARGS__}},
#define DICT(key, field, ...) {std::string{key} + " " + field, {__VA_ARGS__}},
#include "flags.inc"
#undef NAME
#undef FLAGS
#undef DICT
  };
  return all;
}

std::string hex_text(std::uint64_t value) {
  std::ostringstream text;
  text << "0x" << std::hex << value;
  return text.str();
}

std::string in_quotes(const std::string& text) { return '"' + text + '"'; }

// The code points of a text, or nothing if it is not UTF-8.
std::optional<std::vector<std::uint32_t>> code_points(const std::string& text) {
  std::vector<std::uint32_t> points;
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at++]);
    int more = first < 0x80 ? 0 : first >> 5 == 6 ? 1 : first >> 4 == 14 ? 2 : first >> 3 == 30 ? 3 : -1;
    if (more < 0) return {};
    std::uint32_t point = more == 0 ? first : first & (0x3fu >> more);
    for (int i = 0; i < more; ++i, ++at) {
      if (at == text.size() || (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80) return {};
      point = point << 6 | (static_cast<unsigned char>(text[at]) & 0x3f);
    }
    constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return {};
    points.push_back(point);
  }
  return points;
}

std::string escaped_unit(std::uint32_t unit) {
  char text[16];
  std::snprintf(text, sizeof text, "\\u%04x", unit);
  return text;
}

std::string escaped(const std::vector<std::uint32_t>& points) {
  std::string out;
  for (const std::uint32_t point : points) {
    const std::size_t special = std::string_view{"\"\\\n\r\t\b\f"}.find(static_cast<char>(point));
    if (point < 0x80 && special != std::string::npos) out += std::string{'\\', "\"\\nrtbf"[special]};
    else if (point >= 0x20 && point < 0x7f) out += static_cast<char>(point);
    else if (point < 0x10000) out += escaped_unit(point);
    else out += escaped_unit(0xd800 + ((point - 0x10000) >> 10)) + escaped_unit(0xdc00 + ((point - 0x10000) & 0x3ff));
  }
  return out;
}

std::string base64(const std::string& bytes) {
  constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t line = 0; line < bytes.size(); line += 57) {
    const std::string piece = bytes.substr(line, 57);
    for (std::size_t at = 0; at < piece.size(); at += 3) {
      std::uint32_t three = 0;
      for (std::size_t i = 0; i < 3; ++i)
        three = three << 8 | (at + i < piece.size() ? static_cast<unsigned char>(piece[at + i]) : 0);
      for (std::size_t i = 0; i < 4; ++i) out += at + i <= piece.size() ? alphabet[three >> (18 - 6 * i) & 63] : '=';
    }
    out += "\\n";
  }
  return in_quotes(out);
}

std::string base64_object(const std::string& bytes) { return "{\"base64\": " + base64(bytes) + "}"; }

// Quoted-printable, as Python's quopri writes it.
std::string quoted_printable(const std::string& bytes) {
  const std::size_t first_lf = bytes.find('\n');
  const bool crlf = first_lf != bytes.npos && first_lf > 0 && bytes[first_lf - 1] == '\r';
  const std::string line_end = crlf ? "\r\n" : "\n";
  std::string out;
  std::size_t column = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    const bool last = i + 1 == bytes.size();
    const char next = last ? '\n' : bytes[i + 1];
    const bool lone_dot = c == '.' && column == 0 && (last || next == '\n' || next == '\r' || next == '\0');
    if (c > 126 || c == '=' || lone_dot || ((c == ' ' || c == '\t') && last) ||
        (c < 33 && c != '\t' && c != ' ' && c != '\r' && c != '\n')) {
      if (column + 3 >= 76) {
        out += "=" + line_end;
        column = 0;
      }
      char text[4];
      std::snprintf(text, sizeof text, "=%02X", c);
      out += text;
      column += 3;
    } else if (c == '\n' || (c == '\r' && !last && next == '\n')) {
      column = 0;
      if (!out.empty() && (out.back() == ' ' || out.back() == '\t'))
        out.replace(out.size() - 1, 1, out.back() == ' ' ? "=20" : "=09");
      out += line_end;
      if (c == '\r') ++i;
    } else {
      if (!last && next != '\n' && column + 1 >= 76) {
        out += "=" + line_end;
        column = 0;
      }
      out += static_cast<char>(c);
      ++column;
    }
  }
  return out;
}

std::string from_quoted_printable(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out += text[i];
      continue;
    }
    if (i + 1 == text.size()) break;
    if (text[i + 1] == '\n' || text[i + 1] == '\r') i = std::min(text.find('\n', i), text.size());
    else if (text[i + 1] == '=') {
      out += '=';
      ++i;
    } else if (i + 2 < text.size() && std::isxdigit(static_cast<unsigned char>(text[i + 1])) &&
               std::isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else out += '=';
  }
  return out;
}

std::string json_text(const std::string& bytes) {
  const auto points = code_points(bytes);
  return points ? in_quotes(escaped(*points)) : base64_object(bytes);
}

std::string unix_name(const std::string& bytes) {
  const std::string text = quoted_printable(bytes);
  return from_quoted_printable(text) == bytes ? json_text(text) : base64_object(bytes);
}

std::string address(const std::vector<std::uint32_t>& words) {
  char text[INET6_ADDRSTRLEN];
  if (words.size() == 1) return inet_ntop(AF_INET, words.data(), text, sizeof text);
  const auto* groups = reinterpret_cast<const std::uint16_t*>(words.data());
  // Unlike libc, crit writes no dotted quad in ::1.2.3.4.
  if (std::all_of(groups, groups + 6, [](auto group) { return group == 0; }) && groups[6] != 0)
    std::snprintf(text, sizeof text, "::%x:%x", ntohs(groups[6]), ntohs(groups[7]));
  else inet_ntop(AF_INET6, words.data(), text, sizeof text);
  return text;
}

class Printer {
 public:
  explicit Printer(const ReferenceForm& form) : human_{form.human}, indent_{form.indent} {}

  std::string object(const pb::Message& message, int depth, bool hex) const {
    std::vector<std::string> members;
    for (const pb::FieldDescriptor* field : fields_of(message))
      members.push_back(in_quotes(field->name()) + ": " + member(message, *field, depth + 1, hex));
    return joined("{", members, "}", depth);
  }

 private:
  std::string joined(const char* open, const std::vector<std::string>& items, const char* close, int depth) const {
    std::string out = open;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += indent_ ? "," : ", ";
      if (indent_) out += "\n" + std::string(4 * static_cast<std::size_t>(depth + 1), ' ');
      out += items[i];
    }
    if (indent_ && !items.empty()) out += "\n" + std::string(4 * static_cast<std::size_t>(depth), ' ');
    return out + close;
  }

  // Those that are there, ascending; also enums whose value libprotobuf does not know.
  static std::vector<const pb::FieldDescriptor*> fields_of(const pb::Message& message) {
    std::vector<const pb::FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    const pb::UnknownFieldSet& unknown = message.GetReflection()->GetUnknownFields(message);
    for (int i = 0; i < unknown.field_count(); ++i) {
      const auto* field = message.GetDescriptor()->FindFieldByNumber(unknown.field(i).number());
      if (field && std::ranges::find(fields, field) == fields.end()) fields.push_back(field);
    }
    std::ranges::sort(fields, {}, [](const pb::FieldDescriptor* field) { return field->number(); });
    return fields;
  }

  std::string member(const pb::Message& message, const pb::FieldDescriptor& field, int depth, bool hex) const {
    if (!field.is_repeated()) return value(message, field, -1, depth, hex);
    const int count = message.GetReflection()->FieldSize(message, &field);
    const oracle::CRIU_Opts& options = field.options().GetExtension(oracle::criu);
    std::vector<std::string> items;
    if (human_ && options.ipadd() && (count == 1 || count == 4)) {
      std::vector<std::uint32_t> words;
      for (int i = 0; i < count; ++i) words.push_back(message.GetReflection()->GetRepeatedUInt32(message, &field, i));
      items.push_back(in_quotes(address(words)));
    } else {
      for (int i = 0; i < count; ++i) items.push_back(value(message, field, i, depth + 1, hex));
    }
    return joined("[", items, "]", depth);
  }

  std::string value(const pb::Message& message, const pb::FieldDescriptor& field, int index, int depth,
                    bool hex) const {
    const pb::Reflection& reflection = *message.GetReflection();
    const auto get = [&](auto one, auto of_many) {
      return index < 0 ? (reflection.*one)(message, &field) : (reflection.*of_many)(message, &field, index);
    };
    using R = pb::Reflection;
    switch (field.cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_INT32: return integer(field, get(&R::GetInt32, &R::GetRepeatedInt32), hex);
      case pb::FieldDescriptor::CPPTYPE_INT64: return integer(field, get(&R::GetInt64, &R::GetRepeatedInt64), hex);
      case pb::FieldDescriptor::CPPTYPE_UINT32: return integer(field, get(&R::GetUInt32, &R::GetRepeatedUInt32), hex);
      case pb::FieldDescriptor::CPPTYPE_UINT64: return integer(field, get(&R::GetUInt64, &R::GetRepeatedUInt64), hex);
      case pb::FieldDescriptor::CPPTYPE_BOOL: return get(&R::GetBool, &R::GetRepeatedBool) ? "true" : "false";
      case pb::FieldDescriptor::CPPTYPE_ENUM: return enumerator(message, field, index);
      case pb::FieldDescriptor::CPPTYPE_MESSAGE: {
        const pb::Message& inside =
            index < 0 ? reflection.GetMessage(message, &field) : reflection.GetRepeatedMessage(message, &field, index);
        return object(inside, depth, hex || (human_ && field.options().GetExtension(oracle::criu).hex()));
      }
      default: break;
    }
    const std::string text =
        index < 0 ? reflection.GetString(message, &field) : reflection.GetRepeatedString(message, &field, index);
    if (field.type() == pb::FieldDescriptor::TYPE_STRING) return json_text(text);
    return field.options().GetExtension(oracle::criu).conv() == "unix_name" ? unix_name(text) : base64(text);
  }

  static std::string enumerator(const pb::Message& message, const pb::FieldDescriptor& field, int index) {
    const pb::UnknownFieldSet& unknown = message.GetReflection()->GetUnknownFields(message);
    for (int i = 0; i < unknown.field_count(); ++i)
      if (unknown.field(i).number() == field.number())
        return std::to_string(static_cast<std::int32_t>(unknown.field(i).varint()));
    return in_quotes((index < 0 ? message.GetReflection()->GetEnum(message, &field)
                                : message.GetReflection()->GetRepeatedEnum(message, &field, index))
                         ->name());
  }

  template <typename Number>
  std::string integer(const pb::FieldDescriptor& field, Number number, bool hex) const {
    const oracle::CRIU_Opts& options = field.options().GetExtension(oracle::criu);
    const auto bits = static_cast<std::uint64_t>(number);
    if (!human_) return std::to_string(number);
    if (hex || options.hex()) return in_quotes(number < 0 ? "-" + hex_text(0 - bits) : hex_text(bits));
    if (options.dev()) return in_quotes(device(bits, options.odev()));
    if (options.has_flags()) return in_quotes(flags(options.flags(), bits));
    const auto dictionary = names().find(options.dict() + " " + field.name());
    if (options.has_dict() && dictionary != names().end())
      for (const NamedValue& named : dictionary->second)
        if (named.value == bits) return in_quotes(named.name);
    return std::to_string(number);
  }

  static std::string device(std::uint64_t value, bool old) {
    if (!old) return std::to_string(value >> 20) + ":" + std::to_string(value & 0xfffff);
    const std::uint64_t major = (value >> 8 & 0xfff) | (value >> 32 & 0xfffff000);
    const std::uint64_t minor = (value & 0xff) | (value >> 12 & 0xffffff00);
    return std::to_string(major) + ":" + std::to_string(minor & 0xfffff);
  }

  static std::string flags(const std::string& map, std::uint64_t value) {
    std::string out;
    const auto add = [&](const std::string& word) { out += (out.empty() ? "" : " | ") + word; };
    for (const NamedValue& named : names().at(map)) {
      if (named.value == 0 || !(value & named.value)) continue;
      add(named.name);
      value &= ~named.value;
    }
    if (value != 0) add(hex_text(value));
    return out;
  }

  bool human_;
  bool indent_;
};

}  // namespace

std::string reference_json(const pb::Message& message, const ReferenceForm& form) {
  return Printer{form}.object(message, form.depth, false);
}

}  // namespace critpipe::testing
