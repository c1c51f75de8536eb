#include "engines/troubles.hpp"

#include <algorithm>

namespace critpipe {

namespace {

struct TroubleRow {
  std::string_view name, said, text, advice;
};
#define TROUBLE(name, said, text, advice) {name, said, text, advice},
constexpr TroubleRow rows[] = {
#include "engines/troubles.inc"
};
#undef TROUBLE

}  // namespace

MachineFinding trouble(std::string_view row, std::string_view name) {
  const TroubleRow& found = *std::ranges::find(rows, row, &TroubleRow::name);
  std::string text{found.text};
  constexpr std::string_view place = "{name}";
  if (const std::size_t at = text.find(place); at != text.npos) text.replace(at, place.size(), visible(name));
  return {Severity::error, found.name, 0, std::move(text), std::string{found.advice}};
}

Error with_advice(Error error) {
  for (const TroubleRow& row : rows)
    if (!row.said.empty() && error.name.find(row.said) != error.name.npos) {
      error.name.append(": ").append(row.text).append(" (").append(row.advice).append(")");
      break;
    }
  return error;
}

}  // namespace critpipe
