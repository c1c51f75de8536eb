// What follows a message: base64, lists of numbers, messages in messages; and the bytes of raw images.
#include <algorithm>

#include "base/size_text.hpp"
#include "json/print/json_sink.hpp"

namespace critpipe {

namespace {

constexpr std::size_t piece_bytes = 1024 * base64_line_bytes;

}  // namespace

// "extra": and what stands before its first bytes.
void JsonSink::Writer::open_extra(const Part& part) {
  if (in_extra_) return;
  in_extra_ = true;
  named_parts_ = !part.name.empty();
  key("extra", entry_depth + 1, no_member_);
  no_member_ = false;
  if (!options_.payload) return;
  if (named_parts_) put("{");
  if (part.shape == Extra::Shape::units || part.shape == Extra::Shape::nested) put("[");
}

void JsonSink::Writer::part(const Part& part) {
  close_part();
  open_extra(part);
  extra_bytes_ += part.payload.size();
  if (!options_.payload) return;
  if (part.message) {
    item(entry_depth + 2, no_item_);
    no_item_ = false;
    if (part.canonical) {
      put_canonical(*part.message, part.payload, false, entry_depth + 2, true);
    } else {
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
    item(entry_depth + 2, false);
  }
  if (part.shape == Extra::Shape::units) {
    open_ = Open::units;
    return;
  }
  if (named_parts_) {
    key(part.name, entry_depth + 2, no_item_);
    no_item_ = false;
  }
  open_ = Open::string;
  put("\"");
  base64_ = {};
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

void JsonSink::Writer::put_unit(std::uint16_t unit) {
  item(entry_depth + 2, no_item_);
  no_item_ = false;
  output_.commit(put_decimal(output_.reserve(max_number_text), unit));
}

void JsonSink::Writer::bytes(Bytes bytes) {
  extra_bytes_ += bytes.size();
  if (!options_.payload) return;
  if (open_ != Open::units) return put_base64_bytes(bytes);
  for (const std::byte byte : bytes) {
    if (odd_)
      put_unit(static_cast<std::uint16_t>(std::to_integer<unsigned>(byte) << 8 | std::to_integer<unsigned>(half_)));
    else half_ = byte;
    odd_ = !odd_;
  }
}

// Zeros are understood; anything else is kept as further bytes of the part.
void JsonSink::Writer::padding(Bytes padding) {
  const bool zeros = std::ranges::all_of(padding, [](std::byte byte) { return byte == std::byte{0}; });
  if (!zeros && options_.payload) bytes(padding);
}

void JsonSink::Writer::close_part() {
  if (open_ == Open::string) close_base64();
  open_ = Open::nothing;
  odd_ = false;
}

void JsonSink::Writer::close_extra() {
  close_part();
  if (kind_->extra.shape == Extra::Shape::nested && !in_extra_) open_extra({{}, Extra::Shape::nested, 0});
  if (!in_extra_) return;
  in_extra_ = false;
  if (!options_.payload) return put("\"... <" + crit_size_text(extra_bytes_) + ">\"");
  const Extra::Shape shape = kind_->extra.shape;
  const bool list = shape == Extra::Shape::units || shape == Extra::Shape::nested;
  if (!list && !named_parts_) return;
  char* at = output_.reserve(member_room);
  if (indent_ && !no_item_) at = put_newline(at, entry_depth + 1);
  *at++ = list ? ']' : '}';
  output_.commit(at);
}

void JsonSink::Writer::raw(Bytes bytes) {
  if (paused_) resume();
  raw_bytes_ += bytes.size();
  if (options_.raw) put_base64_bytes(bytes);
}

}  // namespace critpipe
