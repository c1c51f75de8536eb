// Images without a head, whose bytes other programs read on restore. Internal.
#pragma once

#include <memory>
#include <string>

#include "critpipe/schema.hpp"

namespace critpipe {

// Is a raw image as its reader wants it? Fed in blocks.
class RawCheck {
 public:
  virtual ~RawCheck() = default;
  virtual void feed(Bytes bytes) = 0;
  // What is wrong; empty: nothing. Call once, behind the last block.
  virtual std::string finish() = 0;
};
std::unique_ptr<RawCheck> make_raw_check(const Kind& kind);  // null: nothing can be said

}  // namespace critpipe
