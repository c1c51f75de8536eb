// Texts and bytes: UTF-8 strings, base64, names of unix sockets.
#include <algorithm>

#include "json/parse/message_encoder.hpp"
#include "json/parse/json_text.hpp"
#include "base/base64.hpp"
#include "base/quoted_printable.hpp"

namespace critpipe {

bool MessageEncoder::unescape(std::string_view token, std::string_view& text) {
  const std::string_view trimmed = trim_json(token);
  if (trimmed.size() < 2 || trimmed.front() != '"' || trimmed.back() != '"')
    return fault_.set(Reason::bad_json, token.data(), "a string does not end");
  const std::string_view inside = trimmed.substr(1, trimmed.size() - 2);
  if (inside.find('\\') == inside.npos) {
    text = inside;
    return true;
  }
  scratch_.clear();
  std::size_t bad;
  if (!append_unescaped(inside, scratch_, bad))
    return fault_.set(Reason::bad_json, inside.data() + bad,
                      "an escape that JSON does not have, or half of a surrogate pair");
  text = scratch_;
  return true;
}

bool MessageEncoder::base64(std::string_view token, WireBuffer& out) {
  const std::string_view trimmed = trim_json(token);
  if (trimmed.size() < 2 || trimmed.front() != '"' || trimmed.back() != '"')
    return fault_.set(Reason::bad_json_value, token.data(), "base64 is wanted here, in a string");
  const std::string_view inside = trimmed.substr(1, trimmed.size() - 2);
  Base64Decoder decoder{Base64Decoder::Text::json};
  std::byte* at = decoder.feed(inside, out.reserve(Base64Decoder::room(inside.size())));
  out.commit(decoder.finish(at));
  if (decoder.fault() == Base64Decoder::Fault::none) return true;
  return fault_.set(Reason::bad_json_value, token.data(), decoder.sentence());
}

bool MessageEncoder::text(const Field& field, ondemand::value& value, std::string_view token) {
  if (token[0] == '{') return base64_object(value, field);
  if (token[0] != '"') return wrong(field, token.data(), "wants a string");
  if (field.type == Type::string) return plain_text(field, token);
  if (field.show == Show::unix_name) return unix_name(field, token);
  return base64_field(field, token);
}

bool MessageEncoder::base64_field(const Field& field, std::string_view token) {
  tag(field, Wire::bytes);
  const std::size_t estimate = token.size() / 4 * 3;
  const std::size_t opened = out_.open_length(estimate);
  if (!base64(token, out_)) return wrong(field, token.data(), fault_.name);
  out_.close_length(opened, estimate);
  return true;
}

bool MessageEncoder::plain_text(const Field& field, std::string_view token) {
  std::string_view text;
  if (!unescape(token, text)) return false;
  tag(field, Wire::bytes);
  out_.varint(text.size());
  out_.append(text.data(), text.size());
  return true;
}

// go-criu writes names as base64, crit as quoted-printable. The socket's options, which stand before its name, tell the
// two apart if their numbers are no text; else the name does.
bool MessageEncoder::unix_name(const Field& field, std::string_view token) {
  std::string_view text;
  if (!unescape(token, text)) return false;
  if (is_go_ && is_base64_name(text)) return base64_field(field, token);
  name_scratch_.clear();
  if (!append_unquoted(text, name_scratch_))
    return wrong(field, token.data(), "quoted-printable text is ASCII; write other bytes as =XX");
  tag(field, Wire::bytes);
  out_.varint(name_scratch_.size());
  out_.append(name_scratch_.data(), name_scratch_.size());
  return true;
}

// {"base64": "..."}: bytes that a JSON string cannot hold.
bool MessageEncoder::base64_object(ondemand::value& value, const Field& field) {
  const char* at = token_of(value).data();
  ondemand::object object;
  if (const auto error = value.get_object().get(object)) return json_error(error, at);
  bool done = false;
  for (auto item : object) {
    ondemand::field pair;
    if (const auto error = std::move(item).get(pair)) return json_error(error, at);
    const std::string_view token = token_of(pair.value());
    if (done || std::string_view{pair.key().raw(), 7} != "base64\"")
      return wrong(field, at, "wants a string, or an object with the one key \"base64\"");
    if (!base64_field(field, token)) return false;
    done = true;
  }
  return done || wrong(field, at, "wants a string, or an object with the one key \"base64\"");
}

}  // namespace critpipe
