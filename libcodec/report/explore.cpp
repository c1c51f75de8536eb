// What the explorers share, and the choice of one.
#include "critpipe/report.hpp"

#include <algorithm>
#include <cstdio>

#include "report/explorers.hpp"
#include "base/escape.hpp"
#include "base/decimal.hpp"

namespace critpipe {

namespace {

struct ExplorerRow {
  std::string_view word;
  Explorer explorer;
  Explore* explore;
  Needs needs;
};

constexpr ExplorerRow rows[] = {
    {"ps", Explorer::ps, explore_ps, {}},
    {"fds", Explorer::fds, explore_fds, {.descriptors = true}},
    {"mems", Explorer::mems, explore_mems, {.mappings = true}},
    {"rss", Explorer::rss, explore_rss, {.mappings = true, .pagemaps = true}},
    {"sk", Explorer::sk, explore_sk, {.descriptors = true, .queues = true}},
    {"fd", Explorer::fds, explore_fds, {.descriptors = true}},
    {"mem", Explorer::mems, explore_mems, {.mappings = true}},
};

const ExplorerRow& row_of(Explorer explorer) { return rows[static_cast<std::size_t>(explorer)]; }

void append_hex_byte(std::string& text, unsigned char byte) {
  text += "\\x";
  text += "0123456789abcdef"[byte >> 4];
  text += "0123456789abcdef"[byte & 15];
}

// Appends one character of UTF-8, or a byte that is none.
void append_shown(std::string& text, std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  const bool is_utf8_control =
      character.size() == 2 && first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
  if (character == "\n") text += "\\n";
  else if (character == "\t") text += "\\t";
  else if (character == "\\") text += "\\\\";
  else if (first < 0x20 || first == 0x7f || is_utf8_control || !is_utf8(character))
    for (const char byte : character) append_hex_byte(text, static_cast<unsigned char>(byte));
  else text += character;
}

}  // namespace

std::optional<Explorer> explorer_named(std::string_view word) {
  for (const ExplorerRow& row : rows)
    if (row.word == word) return row.explorer;
  return std::nullopt;
}

Needs needs_of(Explorer explorer, const ExploreOptions& options) {
  Needs needs = row_of(explorer).needs;
  if (explorer == Explorer::ps) {
    needs.ids = options.detail || options.form != ExploreOptions::Form::text;
    needs.threads = options.threads || options.form != ExploreOptions::Form::text;
  }
  return needs;
}

Step explore(const Checkpoint& checkpoint, Explorer explorer, Output& output, const ExploreOptions& options) {
  Exploring exploring{checkpoint, options, output, {output, options.form == ExploreOptions::Form::json}};
  row_of(explorer).explore(exploring);
  return output.step();
}

std::string Exploring::shown(std::string_view name) const { return options.escape ? escaped(name) : std::string{name}; }

std::string escaped(std::string_view name) {
  std::string text;
  while (!name.empty()) {
    std::size_t size = 1;
    while (size < 4 && size < name.size() && utf8_prefix(name.substr(0, size)) == 0) ++size;
    if (utf8_prefix(name.substr(0, size)) == 0) size = 1;
    append_shown(text, name.substr(0, size));
    name.remove_prefix(size);
  }
  return text;
}

JsonWriter& Exploring::begin_line() {
  return put_set(json.begin('{'), options.set);
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

void append_hex(std::string& text, std::uint64_t value, std::size_t width) {
  char digits[16];
  put_hex_16(digits, value);
  const std::size_t size = std::max(width, sizeof digits - static_cast<std::size_t>(nr_leading_hex_zeros(value)));
  text.append(std::end(digits) - size, size);
}

std::string format(const char* form, ...) {
  char text[256];
  std::va_list arguments, again;
  va_start(arguments, form);
  va_copy(again, arguments);
  const auto size = static_cast<std::size_t>(std::vsnprintf(text, sizeof text, form, arguments));
  va_end(arguments);
  std::string all{text, std::min(size, sizeof text - 1)};
  if (size >= sizeof text) {
    all.resize(size);
    std::vsnprintf(all.data(), size + 1, form, again);
  }
  va_end(again);
  return all;
}

}  // namespace critpipe
