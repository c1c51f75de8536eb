#include "json/parse/unicode_reader.hpp"

#include <simdjson.h>

#include <algorithm>

#include "base/json_escape.hpp"
#include "critpipe/base.hpp"

namespace critpipe {

namespace {

// Bytes of the sequence that begins with that byte; 1 for what begins none.
std::size_t sequence_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
}

// Bytes at the end that begin a sequence and do not complete it.
std::size_t incomplete_tail(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const char c = text[text.size() - back];
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) continue;
    return sequence_size(c) > back ? back : 0;
  }
  return 0;
}

bool is_valid(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

std::string_view valid_prefix(std::string_view text) {
  std::size_t good = 0;
  while (good < text.size()) {
    const std::size_t size = std::min(sequence_size(text[good]), text.size() - good);
    if (!is_valid(text.substr(good, size))) break;
    good += size;
  }
  return text.substr(0, good);
}

}  // namespace

void UnicodeReader::finish() {
  finished_ = true;
  block_ = {};
}

// As Python's json.detect_encoding: marks first, else where the zeros are.
void UnicodeReader::detect() {
  const std::size_t taken = std::min(block_.size(), 4 - std::min<std::size_t>(4, carry_.size()));
  carry_ += block_.substr(0, taken);
  block_.remove_prefix(taken);
  if (carry_.size() < 4 && !finished_) return;
  using namespace std::string_view_literals;
  const std::string_view start = carry_;
  std::size_t mark = 0;
  if (start.starts_with("\0\0\xfe\xff"sv)) {
    encoding_ = Encoding::utf32_be;
    mark = 4;
  } else if (start.starts_with("\xff\xfe\0\0"sv)) {
    encoding_ = Encoding::utf32_le;
    mark = 4;
  } else if (start.starts_with("\xfe\xff"sv)) {
    encoding_ = Encoding::utf16_be;
    mark = 2;
  } else if (start.starts_with("\xff\xfe"sv)) {
    encoding_ = Encoding::utf16_le;
    mark = 2;
  } else if (start.starts_with("\xef\xbb\xbf"sv)) {
    encoding_ = Encoding::utf8;
    mark = 3;
  } else if (start.size() >= 4 && start[0] == 0) encoding_ = start[1] == 0 ? Encoding::utf32_be : Encoding::utf16_be;
  else if (start.size() >= 4 && start[1] == 0)
    encoding_ = start[2] == 0 && start[3] == 0 ? Encoding::utf32_le : Encoding::utf16_le;
  else if (start.size() == 2 && start[0] == 0) encoding_ = Encoding::utf16_be;
  else if (start.size() == 2 && start[1] == 0) encoding_ = Encoding::utf16_le;
  else encoding_ = Encoding::utf8;
  carry_.erase(0, mark);
}

std::string_view UnicodeReader::next() {
  if (encoding_ == Encoding::unknown) detect();
  if (bad_ || encoding_ == Encoding::unknown) return {};
  return encoding_ == Encoding::utf8 ? next_utf8() : next_wide();
}

std::string_view UnicodeReader::next_utf8() {
  if (!carry_.empty()) return split_sequence();
  std::string_view text = block_.substr(0, block_bytes);
  const std::size_t tail = incomplete_tail(text);
  if (tail == text.size() && tail == block_.size()) {
    carry_ = block_;
    block_ = {};
    return {};
  }
  text.remove_suffix(tail);
  block_.remove_prefix(text.size());
  if (is_valid(text)) [[likely]]
    return text;
  bad_ = true;
  return valid_prefix(text);
}

// What an earlier block has left: the beginning of the text, or of a sequence.
std::string_view UnicodeReader::split_sequence() {
  std::size_t tail = incomplete_tail(carry_);
  while (tail != 0 && !block_.empty() && (static_cast<unsigned char>(block_[0]) & 0xc0) == 0x80) {
    carry_ += block_[0];
    block_.remove_prefix(1);
    tail = incomplete_tail(carry_);
  }
  if (tail != 0 && block_.empty() && !finished_) {
    if (tail == carry_.size()) return {};
    out_ = carry_.substr(0, carry_.size() - tail);
    carry_.erase(0, out_.size());
  } else {
    out_ = std::move(carry_);
    carry_.clear();
  }
  if (is_valid(out_)) return out_;
  bad_ = true;
  return valid_prefix(out_);
}

// Appends a character; false: half of a surrogate pair, or no character.
bool UnicodeReader::wide_unit(std::uint32_t unit) {
  if (high_surrogate_ != 0) {
    if (unit < 0xdc00 || unit >= 0xe000) return false;
    append_utf8(out_, 0x10000 + ((high_surrogate_ - 0xd800) << 10) + (unit - 0xdc00));
    high_surrogate_ = 0;
    return true;
  }
  const bool is_16 = encoding_ == Encoding::utf16_le || encoding_ == Encoding::utf16_be;
  if (is_16 && unit >= 0xd800 && unit < 0xdc00) {
    high_surrogate_ = unit;
    return true;
  }
  if (unit > 0x10ffff || (unit >= 0xd800 && unit < 0xe000)) return false;
  append_utf8(out_, unit);
  return true;
}

std::string_view UnicodeReader::next_wide() {
  const bool is_16 = encoding_ == Encoding::utf16_le || encoding_ == Encoding::utf16_be;
  const bool little = encoding_ == Encoding::utf16_le || encoding_ == Encoding::utf32_le;
  const std::size_t width = is_16 ? 2 : 4;
  out_.clear();
  while (out_.size() < block_bytes && carry_.size() + block_.size() >= width) {
    while (carry_.size() < width) {
      carry_ += block_.front();
      block_.remove_prefix(1);
    }
    std::uint32_t unit = 0;
    for (std::size_t i = 0; i < width; ++i)
      unit = unit << 8 | static_cast<unsigned char>(carry_[little ? width - 1 - i : i]);
    carry_.erase(0, width);
    if (wide_unit(unit)) continue;
    bad_ = true;
    return out_;
  }
  if (!out_.empty()) return out_;
  carry_ += block_;
  block_ = {};
  if (finished_ && (!carry_.empty() || high_surrogate_ != 0)) bad_ = true;
  return {};
}

}  // namespace critpipe
