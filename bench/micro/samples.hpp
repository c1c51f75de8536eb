// What the micro-benchmarks work on. Small enough for the first caches, so that the code is measured, not the memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "critpipe/fields.hpp"

namespace critpipe::bench {

// Numbers as a pagemap has them: addresses, zeros, flags, small counts.
inline std::vector<std::uint64_t> numbers() {
  std::vector<std::uint64_t> all;
  std::uint64_t state = 1;
  for (int i = 0; i < 256; ++i) {
    state = state * 6364136223846793005 + 1442695040888963407;
    all.insert(all.end(), {0x7f0000000000 + (state >> 40 << 12), 0, 4, 1 + (state >> 60)});
  }
  return all;
}

// Payloads of pagemap entries as CRIU 4.2 writes them.
inline std::vector<std::string> payloads() {
  std::vector<std::string> all;
  const auto words = numbers();
  for (std::size_t i = 0; i < words.size(); i += 4) {
    std::string payload;
    constexpr char tags[] = {1 << 3, 2 << 3, 4 << 3, 5 << 3};
    for (std::size_t field = 0; field < 4; ++field) {
      payload += tags[field];
      append_varint(payload, words[i + field]);
    }
    all.push_back(payload);
  }
  return all;
}

inline void append_word(std::string& out, std::uint32_t word) { out.append(reinterpret_cast<const char*>(&word), 4); }

// The same as one image.
inline std::string image() {
  std::string all;
  append_word(all, common_magic);
  append_word(all, 0x56084025);
  append_word(all, 2);
  all += std::string{"\x08\x01", 2};
  for (const std::string& payload : payloads()) {
    append_word(all, static_cast<std::uint32_t>(payload.size()));
    all += payload;
  }
  return all;
}

inline Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

}  // namespace critpipe::bench
