// What a regular expression says about its matches, whatever the engine finds. Internal.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace critpipe::search {

using ByteSet = std::bitset<256>;

// Text that stands in matches; its letters are lower case if it is caseless.
struct NeededText {
  std::string text;
  bool caseless = false;
};

// Every match has one of these texts in it, at most so many bytes behind its beginning.
struct NeededTexts {
  std::vector<NeededText> texts;
  std::uint64_t before = 0;
};

struct PatternShape {
  // Of the bytes of a match, at most so many are not in the set: those that no unbounded repeat takes.
  std::uint64_t others = 0;
  ByteSet repeated;
  std::optional<NeededTexts> needed;  // nothing: there is none of use
};

// "[a-z]{400,}": bytes of one set, and how many of them at least.
struct ByteRun {
  std::string_view set;  // of the expression
  std::uint64_t least = 0;
};
// Nothing: the expression is of another form.
std::optional<ByteRun> run_of(std::string_view regex);

// Nothing: there is something in the expression that is not understood here.
std::optional<PatternShape> shape_of(std::string_view regex, bool caseless);

}  // namespace critpipe::search
