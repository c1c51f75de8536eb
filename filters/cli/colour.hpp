// What a terminal can show: colours, and more than ASCII. JSON with colours for it.
#pragma once

#include <memory>
#include <string>

#include "cli/filter.hpp"
#include "critpipe/output.hpp"

namespace critpipe::filters {

inline constexpr Option colour_options[] = {
    Option{0, "color", "WHEN", "Use colours: auto (on a terminal, unless NO_COLOR is set), always or never."}.one_of(
        "auto always never"),
};

// --color=WHEN for this descriptor.
bool wants_colour(Program& program, int fd);

bool locale_is_utf8();
std::size_t terminal_columns(int fd);  // 0: it is no terminal, or does not say

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

// Colours the first word of each line of a table, behind blanks and lines of a tree: a number, or a name.
class ColourTableOutput final : public Output {
 public:
  explicit ColourTableOutput(Output& below) : below_{below} {}

 private:
  enum class In : std::uint8_t { margin, word, rest };
  bool drain(const char* bytes, std::size_t size) override;

  Output& below_;
  std::string line_;
  In in_ = In::margin;
};

// The output of a destination as it is, or with colours where they are wanted. Flush it before anything is reported,
// and before the destination's commit().
class MaybeColoured {
 public:
  enum class Text : std::uint8_t { json, table };
  MaybeColoured(Program& program, Destination& destination, Text text);
  Output& output() { return coloured_ ? *coloured_ : plain_; }

 private:
  Output& plain_;
  std::unique_ptr<Output> coloured_;
};

}  // namespace critpipe::filters
