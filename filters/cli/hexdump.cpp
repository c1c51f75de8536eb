#include "cli/hexdump.hpp"

namespace critpipe::filters {

HexRow hex_row(std::uint64_t row, std::uint64_t address, Bytes bytes, const HexMarks& marks) {
  constexpr char digits[] = "0123456789abcdef";
  HexRow out;
  for (std::uint64_t at = row; at < row + hex_row_bytes; ++at) {
    if (marks.halves && at == row + hex_row_bytes / 2) out.hex += ' ';
    if (at < address || at - address >= bytes.size()) {
      out.hex += "   ";
      out.letters += ' ';
      continue;
    }
    const auto byte = std::to_integer<unsigned>(bytes[static_cast<std::size_t>(at - address)]);
    const bool bold = at >= marks.bold_begin && at < marks.bold_end;
    out.hex += ' ';
    if (bold) out.hex += "\x1b[1;31m";
    out.hex += digits[byte >> 4];
    out.hex += digits[byte & 15];
    if (bold) out.hex += "\x1b[m";
    out.letters += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
  }
  return out;
}

}  // namespace critpipe::filters
