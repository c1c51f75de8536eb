// The markers of an image stream.
//
//     stream := marker*, shared out over one or more shards
//     marker := size message data          size = u32 little-endian, bytes of the message; below 10 KiB
//     message: 1 = sequence number; one of 2 = file name, 3 = bytes of data that follow, 4 = file ends, 5 = image ends
//
// Behind the end of the image, files that are no part of it may follow, and another end. Others do not read on there.
//
// Source of the facts: criu-image-streamer's proto/image.proto, capture, extract.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "critpipe/image.hpp"

namespace critpipe {

struct Marker {
  enum class Body : std::uint8_t { none, name, data, file_end, image_end };
  std::uint64_t sequence = 0;
  Body body = Body::none;
  std::uint32_t size = 0;  // of the data
  std::string name = {};
};

constexpr std::size_t max_marker_bytes = 10 << 10;

// One message; false: it is none, or has no body or two.
bool parse_marker(Bytes message, Marker& marker);

// Appends size and message.
void append_marker(std::string& out, const Marker& marker);

}  // namespace critpipe
