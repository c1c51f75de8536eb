// Regular expressions on texts of entries. Internal.
//
// Hyperscan answers in one pass without going back; what it cannot do that way (look-around, back references) it
// refuses with a reason. It sees bytes, not characters, so that no text of an image is unfit for it.
#pragma once

#include <memory>

#include "critpipe/image.hpp"
#include "match/expression_tree.hpp"

namespace critpipe::match {

class TextPattern {
 public:
  TextPattern();
  ~TextPattern();
  TextPattern(const TextPattern&) = delete;
  TextPattern& operator=(const TextPattern&) = delete;

  // Reasons: bad_expression.
  Error compile(const Regex& regex);
  bool is_in(Bytes text) const;

 private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace critpipe::match
