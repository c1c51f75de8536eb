// Rows of a hexdump.
//
//     const HexRow row = hex_row(0x1000, 0x1004, bytes_of("text"));
//     // row.hex: 12 blanks, " 74 65 78 74", ... ; row.letters: "    text        "
#pragma once

#include <cstdint>
#include <string>

#include "critpipe/base.hpp"

namespace critpipe::filters {

constexpr std::uint64_t hex_row_bytes = 16;

struct HexRow {
  std::string hex;      // " 7f" a byte
  std::string letters;  // "." where the byte is not printable ASCII
};

struct HexMarks {
  bool halves = false;  // a blank more between the halves of a row
  // Addresses of what is printed bold and red.
  std::uint64_t bold_begin = 0;
  std::uint64_t bold_end = 0;
};

// The row at `row`, of bytes that begin at `address`; blanks stand for the addresses around them.
HexRow hex_row(std::uint64_t row, std::uint64_t address, Bytes bytes, const HexMarks& marks = {});

}  // namespace critpipe::filters
