// The inner loops of base64, one set for each instruction set.
#pragma once

#include <cstddef>
#include <span>

#include "critpipe/base.hpp"

namespace critpipe {

struct Base64Loops {
  struct Progress {
    const char* in;
    std::byte* out;
  };
  const char* name;
  // 57 bytes a line, each written as 76 characters and \n as two.
  char* (*encode)(const std::byte* in, std::size_t nr_lines, char* out);
  // Takes characters of the alphabet, and the line feed after 76 of them, as long as they come in whole groups. May
  // write 64 bytes beyond what it returns.
  Progress (*decode)(const char* in, const char* end, bool json, std::byte* out);
};

// Those that this machine can run, the fastest first; the last one is portable.
std::span<const Base64Loops> base64_loops();

// The six bits of a character; 0x80 for what is outside the alphabet.
extern const unsigned char base64_values[256];
extern const char base64_alphabet[65];

inline bool base64_line_ends(const char* at, bool json) { return json ? at[0] == '\\' && at[1] == 'n' : at[0] == '\n'; }
inline std::ptrdiff_t base64_line_room(bool json) { return json ? 78 : 77; }

}  // namespace critpipe
