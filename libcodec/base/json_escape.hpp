// Text inside JSON strings, as Python's json.dumps writes it: ASCII only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace critpipe {

constexpr std::size_t max_escape = 6;  // JSON bytes that one byte of UTF-8 may become

bool is_utf8(std::string_view text);             // as Python sees it: no surrogates, no overlong forms
std::size_t utf8_prefix(std::string_view text);  // bytes at the front that are UTF-8

void append_utf8(std::string& out, std::uint32_t point);

// How many bytes at the front may be escaped by themselves: all, or up to a character's border, at most `most`.
std::size_t whole_characters(std::string_view text, std::size_t most);

// Copies text that stands for itself in JSON, as most does; null where some of it does not.
// Requires: room for text.size() + 16 bytes.
char* put_plain(char* at, std::string_view text);

// Writes text without quotes. Requires: is_utf8(text), room for max_escape * text.size() + 16 bytes.
char* put_escaped(char* at, std::string_view text);

}  // namespace critpipe
