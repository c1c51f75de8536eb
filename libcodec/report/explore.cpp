// What the explorers share, and the choice of one.
#include "critpipe/report.hpp"

#include <algorithm>

#include "report/explorers.hpp"
#include "base/json_escape.hpp"
#include "base/decimal.hpp"

namespace critpipe {

namespace {

struct ExplorerRow {
  std::string_view word;
  Explorer explorer;
  Explore* explore;
};

// In the order of the enum; then the other words.
constexpr ExplorerRow rows[] = {
    {"ps", Explorer::ps, explore_ps},      {"fds", Explorer::fds, explore_fds}, {"mems", Explorer::mems, explore_mems},
    {"rss", Explorer::rss, explore_rss},   {"sk", Explorer::sk, explore_sk},    {"fd", Explorer::fds, explore_fds},
    {"mem", Explorer::mems, explore_mems},
};

const ExplorerRow& row_of(Explorer explorer) { return rows[static_cast<std::size_t>(explorer)]; }

}  // namespace

std::optional<Explorer> explorer_named(std::string_view word) {
  for (const ExplorerRow& row : rows)
    if (row.word == word) return row.explorer;
  return std::nullopt;
}

Needs needs_of(Explorer explorer, const ExploreOptions& options) {
  const bool is_text = options.form == ExploreOptions::Form::text;
  switch (explorer) {
    case Explorer::ps: return {.ids = options.detail || !is_text, .threads = options.threads || !is_text};
    case Explorer::fds: return {.descriptors = true};
    case Explorer::mems: return {.mappings = true};
    case Explorer::rss: return {.mappings = true, .pagemaps = true};
    case Explorer::sk: return {.descriptors = true, .queues = true};
  }
  return {};
}

Step explore(const Checkpoint& checkpoint, Explorer explorer, Output& output, const ExploreOptions& options) {
  JsonWriter own{output, options.form == ExploreOptions::Form::json, options.big_numbers};
  Exploring exploring{checkpoint, options, output, options.list ? *options.list : own};
  row_of(explorer).explore(exploring);
  return output.step();
}

std::string Exploring::shown(std::string_view name) const {
  const bool is_ascii = std::ranges::all_of(name, [](char c) { return c >= ' ' && c <= '~'; });  // as most are
  return !is_text() || is_ascii || visible(name) == name ? std::string{name} : visible(name, Escape::text);
}

JsonWriter& Exploring::begin_line() { return put_set(json.begin('{'), options.set); }

std::string shell_text(std::span<const std::string> words) {
  const auto is_plain = [](char c) {
    const bool is_alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return is_alphanumeric || std::string_view{"%+,-./:=@_"}.find(c) != std::string_view::npos;
  };
  std::string text;
  for (const std::string& word : words) {
    if (&word != words.data()) text += ' ';
    if (!word.empty() && std::ranges::all_of(word, is_plain)) {
      text += word;
      continue;
    }
    text += '\'';
    for (const char c : word) text += c == '\'' ? std::string{"'\\''"} : std::string{c};
    text += '\'';
  }
  return text;
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

}  // namespace critpipe
