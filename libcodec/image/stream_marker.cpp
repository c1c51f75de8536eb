#include "image/stream_marker.hpp"

#include "critpipe/fields.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t sequence_field = 1, name_field = 2, data_field = 3, file_end_field = 4, image_end_field = 5;

bool take_varint(Bytes& rest, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < rest.size() && i < 10; ++i) {
    const auto byte = std::to_integer<std::uint64_t>(rest[i]);
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest = rest.subspan(i + 1);
      return true;
    }
  }
  return false;
}

void append_key(std::string& out, std::uint32_t field, Wire wire) {
  append_varint(out, field << 3 | static_cast<std::uint32_t>(wire));
}

}  // namespace

bool parse_marker(Bytes rest, Marker& marker) {
  marker = {};
  while (!rest.empty()) {
    std::uint64_t key = 0, value = 0;
    if (!take_varint(rest, key) || !take_varint(rest, value)) return false;
    const auto field = key >> 3;
    const bool is_name = field == name_field;
    if ((key & 7) != static_cast<std::uint64_t>(is_name ? Wire::bytes : Wire::varint)) return false;
    if (field == sequence_field) {
      marker.sequence = value;
      continue;
    }
    if (marker.body != Marker::Body::none) return false;
    switch (field) {
      case name_field:
        if (value > rest.size()) return false;
        marker.body = Marker::Body::name;
        marker.name.assign(reinterpret_cast<const char*>(rest.data()), value);
        rest = rest.subspan(value);
        break;
      case data_field:
        if (value > ~std::uint32_t{0}) return false;
        marker.body = Marker::Body::data;
        marker.size = static_cast<std::uint32_t>(value);
        break;
      case file_end_field:
      case image_end_field:
        if (value != 1) return false;
        marker.body = field == file_end_field ? Marker::Body::file_end : Marker::Body::image_end;
        break;
      default: return false;
    }
  }
  return marker.body != Marker::Body::none;
}

void append_marker(std::string& out, const Marker& marker) {
  std::string message;
  if (marker.sequence != 0) {
    append_key(message, sequence_field, Wire::varint);
    append_varint(message, marker.sequence);
  }
  switch (marker.body) {
    case Marker::Body::name:
      append_key(message, name_field, Wire::bytes);
      append_varint(message, marker.name.size());
      message += marker.name;
      break;
    case Marker::Body::data:
      append_key(message, data_field, Wire::varint);
      append_varint(message, marker.size);
      break;
    case Marker::Body::file_end:
    case Marker::Body::image_end:
      append_key(message, marker.body == Marker::Body::file_end ? file_end_field : image_end_field, Wire::varint);
      append_varint(message, 1);
      break;
    case Marker::Body::none: break;
  }
  const auto size = static_cast<std::uint32_t>(message.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out += message;
}

}  // namespace critpipe
