// What the explorers share, and the choice of one.
#include "critpipe/report.hpp"

#include <algorithm>
#include <cstdio>

#include "report/explorers.hpp"
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

std::string Exploring::shown(std::string_view name) const { return options.escape ? visible(name, Escape::text) : std::string{name}; }

JsonWriter& Exploring::begin_line() {
  json.begin('{');
  if (!options.label.empty()) json.key("checkpoint").text(options.label);
  return json;
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
