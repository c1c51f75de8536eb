// Bytes of a pipe that are held. Internal.
#pragma once

#include <algorithm>
#include <vector>

#include "critpipe/pages.hpp"

namespace critpipe {

// They are in pieces that stay where they are, so that they take the room that they need and little more. All pieces
// but the last are whole pages.
class HeldBytes {
 public:
  void append(Bytes bytes);
  std::uint64_t size() const { return size_; }
  const std::vector<std::vector<std::byte>>& pieces() const { return pieces_; }

 private:
  static constexpr std::uint64_t largest_piece = 1 << 20;
  static std::size_t room_in(const std::vector<std::byte>& piece) {
    return piece.capacity() - piece.capacity() % smallest_page;
  }
  std::vector<std::vector<std::byte>> pieces_;
  std::uint64_t size_ = 0;
};

inline void HeldBytes::append(Bytes bytes) {
  while (!bytes.empty()) {
    if (pieces_.empty() || pieces_.back().size() >= room_in(pieces_.back())) {
      const std::uint64_t pages = pages_touched(std::max<std::uint64_t>(size_, bytes.size()), smallest_page);
      pieces_.emplace_back().reserve(std::min(bytes_of_pages(pages, smallest_page), largest_piece));
    }
    std::vector<std::byte>& piece = pieces_.back();
    const Bytes here = bytes.first(std::min(bytes.size(), room_in(piece) - piece.size()));
    piece.insert(piece.end(), here.begin(), here.end());
    size_ += here.size();
    bytes = bytes.subspan(here.size());
  }
}

}  // namespace critpipe
