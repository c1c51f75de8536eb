#include "source/tar_header.hpp"

namespace critpipe {

bool has_tar_checksum(Bytes header) {
  constexpr std::size_t checksum_at = 148, checksum_bytes = 8;
  unsigned sum = 0, wanted = 0;
  for (std::size_t i = 0; i < tar_header_bytes; ++i)
    sum += i >= checksum_at && i < checksum_at + checksum_bytes ? ' ' : std::to_integer<unsigned>(header[i]);
  std::size_t i = checksum_at;
  while (i < checksum_at + checksum_bytes && header[i] == std::byte{' '}) ++i;
  for (; i < checksum_at + checksum_bytes; ++i) {
    const unsigned digit = std::to_integer<unsigned>(header[i]) - '0';
    if (digit > 7) break;
    wanted = wanted * 8 + digit;
  }
  return sum == wanted;
}

}  // namespace critpipe
