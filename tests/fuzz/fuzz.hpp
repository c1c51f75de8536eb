// What the fuzz targets share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "critpipe/image.hpp"
#include "critpipe/json.hpp"

namespace critpipe {

inline void require(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s:%d\n", file, line);
  std::abort();
}

inline std::string_view take_line(Bytes& input) {
  const auto end = std::ranges::find(input, std::byte{'\n'});
  const auto size = static_cast<std::size_t>(end - input.begin());
  const std::string_view line{reinterpret_cast<const char*>(input.data()), size};
  input = input.subspan(end == input.end() ? size : size + 1);
  return line;
}

inline unsigned take_byte(Bytes& input) {
  if (input.empty()) return 0;
  const auto byte = std::to_integer<unsigned>(input.front());
  input = input.subspan(1);
  return byte;
}

inline JsonOptions::Form form_of(unsigned bits) {
  switch (bits % 4) {
    case 3: return JsonOptions::Form::lines;
    case 2: return JsonOptions::Form::named_document;
    default: return JsonOptions::Form::document;
  }
}

// Hands the bytes on in pieces of chosen sizes, all at once for seed 0, until `use` says no.
template <typename Use>
void in_pieces(Bytes bytes, std::uint64_t seed, Use use) {
  while (!bytes.empty()) {
    std::size_t size = bytes.size();
    if (seed != 0) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      size = std::min<std::size_t>(size, 1 + (seed >> 60 < 12 ? seed >> 33 & 7 : seed >> 33 & 1023));
    }
    if (!use(bytes.first(size))) return;
    bytes = bytes.subspan(size);
  }
}

}  // namespace critpipe
