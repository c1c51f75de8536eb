// What Python's json takes for text: UTF-8 with or without BOM, UTF-16, UTF-32 -> UTF-8 that is valid.
//
//     reader.put(block);
//     for (std::string_view text; !(text = reader.next()).empty();) use(text);
//     if (reader.is_bad()) ...                    // what comes next is no text
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "critpipe/image.hpp"

namespace critpipe {

class UnicodeReader {
 public:
  void put(Bytes block) { block_ = {reinterpret_cast<const char*>(block.data()), block.size()}; }
  void finish();            // nothing follows the last block
  std::string_view next();  // lives until the next call; empty: the block is used up
  bool is_bad() const { return bad_; }
  // Would ASCII that comes next go through as it is?
  bool is_plain() const { return encoding_ == Encoding::utf8 && carry_.empty() && !bad_; }

 private:
  enum class Encoding : std::uint8_t { unknown, utf8, utf16_le, utf16_be, utf32_le, utf32_be };

  void detect();
  std::string_view next_utf8();
  std::string_view split_sequence();
  std::string_view next_wide();
  bool wide_unit(std::uint32_t unit);

  Encoding encoding_ = Encoding::unknown;
  bool finished_ = false;
  bool bad_ = false;
  std::string_view block_;
  std::string carry_;  // the beginning of a character, or of the text
  std::string out_;
  std::uint32_t high_surrogate_ = 0;
};

}  // namespace critpipe
