// What follows a message: base64, lists of numbers, messages in messages; and the bytes of raw images.
#include <algorithm>

#include "base/size_text.hpp"
#include "json/print/json_sink.hpp"

namespace critpipe {

namespace {

constexpr std::size_t piece_bytes = 1024 * base64_line_bytes;

}  // namespace

// "extra": and what stands before its first part.
void JsonSink::Writer::open_extra() {
  if (in_extra_) return;
  in_extra_ = true;
  key("extra", entry_depth + 1, no_member_);
  no_member_ = false;
  if (!options_.payload) return;
  if (kind_->extra.nested) put("[");
  else if (kind_->extra.is_object()) put("{");
}

void JsonSink::Writer::part(const ExtraPart& part) {
  close_part();
  open_extra();
  extra_bytes_ += part.payload.size();
  if (!options_.payload) return;
  if (part.message) {
    nested_message(part);
    item(entry_depth + 2, false);
  } else if (!part.name.empty()) {
    key(part.name, entry_depth + 2, no_item_);
    no_item_ = false;
  }
  if (part.form == Extra::Form::numbers) {
    open_ = Open::numbers;
    no_number_ = true;
    unit_ = part.unit;
    put("[");
    return;
  }
  open_ = Open::string;
  put("\"");
  base64_ = {};
}

void JsonSink::Writer::nested_message(const ExtraPart& part) {
  item(entry_depth + 2, no_item_);
  no_item_ = false;
  if (part.canonical) return put_canonical(*part.message, part.payload, false, entry_depth + 2, true);
  const std::string written = critpipe::canonical(*part.message, part.payload);
  bool& first = no_member_;
  put("{");
  first = true;
  put_canonical(*part.message, std::as_bytes(std::span{written}), false, entry_depth + 2, false);
  key("_wire", entry_depth + 3, first);
  first = false;
  output_.commit(put_base64(output_, output_.reserve(member_room), part.payload));
  end_object(entry_depth + 2, false);
}

void JsonSink::Writer::put_base64_bytes(Bytes bytes) {
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), piece_bytes));
    output_.commit(base64_.feed(piece, output_.reserve(Base64Encoder::json_room(piece.size()))));
    bytes = bytes.subspan(piece.size());
  }
}

void JsonSink::Writer::close_base64() {
  char* at = base64_.finish(output_.reserve(Base64Encoder::json_room(0)));
  *at++ = '"';
  output_.commit(at);
}

void JsonSink::Writer::put_number_bytes(Bytes bytes) {
  const int depth = entry_depth + (kind_->extra.is_object() ? 3 : 2);
  for (const std::byte byte : bytes) {
    number_ |= std::to_integer<std::uint64_t>(byte) << 8 * number_bytes_;
    if (++number_bytes_ < unit_) continue;
    item(depth, no_number_);
    no_number_ = false;
    const bool as_text = unit_ == 8 && big_as_text();
    if (as_text) put("\"");
    output_.commit(put_decimal(output_.reserve(max_number_text), number_));
    if (as_text) put("\"");
    number_ = number_bytes_ = 0;
  }
}

void JsonSink::Writer::bytes(Bytes bytes) {
  extra_bytes_ += bytes.size();
  if (!options_.payload) return;
  if (open_ == Open::numbers) put_number_bytes(bytes);
  else put_base64_bytes(bytes);
}

// Zeros are understood; anything else is kept as further bytes of the part.
void JsonSink::Writer::padding(Bytes padding) {
  const bool zeros = std::ranges::all_of(padding, [](std::byte byte) { return byte == std::byte{0}; });
  if (!zeros && options_.payload) bytes(padding);
}

void JsonSink::Writer::close_part() {
  if (open_ == Open::string) close_base64();
  else if (open_ == Open::numbers) close_bracket(']', entry_depth + (kind_->extra.is_object() ? 2 : 1), no_number_);
  open_ = Open::nothing;
  number_ = number_bytes_ = 0;  // what a fault has cut
}

void JsonSink::Writer::close_extra() {
  close_part();
  if (kind_->extra.nested) open_extra();  // a list without messages is there, too
  if (!in_extra_) return;
  in_extra_ = false;
  if (!options_.payload) return put("\"... <" + crit_size_text(extra_bytes_) + ">\"");
  if (kind_->extra.nested) close_bracket(']', entry_depth + 1, no_item_);
  else if (kind_->extra.is_object()) end_object(entry_depth + 1, no_item_);
}

void JsonSink::Writer::raw(Bytes bytes) {
  if (paused_) reopen();
  raw_bytes_ += bytes.size();
  if (options_.raw) put_base64_bytes(bytes);
}

}  // namespace critpipe
