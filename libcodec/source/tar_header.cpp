#include "source/tar_header.hpp"

#include <string_view>

namespace critpipe {

bool has_tar_checksum(Bytes header) {
  constexpr std::size_t checksum_at = 148, checksum_bytes = 8;
  if (header.size() < tar_header_bytes || header[0] == std::byte{0}) return false;
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

bool has_tar_word(Bytes header) {
  constexpr std::size_t word_at = 257;
  const std::string_view text{reinterpret_cast<const char*>(header.data()), header.size()};
  return text.size() > word_at && text.substr(word_at).starts_with("ustar");
}

}  // namespace critpipe
