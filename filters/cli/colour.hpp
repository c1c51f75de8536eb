// What a terminal can show: colours, and more than ASCII. JSON with colours for it.
#pragma once

#include <string>

#include "cli/filter.hpp"
#include "critpipe/output.hpp"

namespace critpipe::filters {

inline constexpr Option colour_options[] = {
    {0, "color", "WHEN", "Use colours: auto (on a terminal, unless NO_COLOR is set), always or never."},
};

// --color=WHEN for this descriptor.
bool wants_colour(Program& program, int fd);

bool locale_is_utf8();

// Colours JSON on its way to another output: keys, texts, and numbers.
class ColourOutput final : public Output {
 public:
  explicit ColourOutput(Output& below) : below_{below} {}

 private:
  enum class In : std::uint8_t { between, text, number };
  bool drain(const char* bytes, std::size_t size) override;
  void between(char c);

  Output& below_;
  std::string line_;
  std::string nesting_;  // { or [
  In in_ = In::between;
  bool key_next_ = false;
  bool escaped_ = false;
};

}  // namespace critpipe::filters
