// Names from images in JSON, without loss.
#include <algorithm>

#include "base/base64_lines.hpp"
#include "base/json_escape.hpp"
#include "critpipe/json.hpp"

namespace critpipe {

namespace {

// On one line, unlike the base64 of crit's dialect.
std::string base64_of(std::string_view bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t size = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < size ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i) text += i <= size ? base64_alphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

std::string base64_key(std::string_view key) { return std::string{key} + "_base64"; }

}  // namespace

JsonWriter& put_name(JsonWriter& json, std::string_view key, std::string_view name) {
  json.key(key).text(name);
  if (!is_utf8(name)) json.key(base64_key(key)).text(base64_of(name));
  return json;
}

JsonWriter& put_names(JsonWriter& json, std::string_view key, std::span<const std::string> names) {
  json.key(key).begin('[');
  for (const std::string& name : names) json.text(name);
  json.end(']');
  if (std::ranges::all_of(names, [](const std::string& name) { return is_utf8(name); })) return json;
  json.key(base64_key(key)).begin('[');
  for (const std::string& name : names) json.text(base64_of(name));
  return json.end(']');
}

}  // namespace critpipe
