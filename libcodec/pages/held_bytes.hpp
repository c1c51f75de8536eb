// Bytes of a pipe that are held. Internal.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
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
  // Fills `into` from an offset on, and returns how much of it.
  std::size_t read(std::uint64_t offset, std::span<std::byte> into) const;

 private:
  static constexpr std::uint64_t largest_piece = 1 << 20;
  static std::size_t room_in(const std::vector<std::byte>& piece) {
    return piece.capacity() - piece.capacity() % smallest_page;
  }
  std::vector<std::vector<std::byte>> pieces_;
  std::vector<std::uint64_t> begins_;  // of the pieces
  std::uint64_t size_ = 0;
};

inline void HeldBytes::append(Bytes bytes) {
  while (!bytes.empty()) {
    if (pieces_.empty() || pieces_.back().size() >= room_in(pieces_.back())) {
      const std::uint64_t pages = pages_touched(std::max<std::uint64_t>(size_, bytes.size()), smallest_page);
      begins_.push_back(size_);
      pieces_.emplace_back().reserve(std::min(bytes_of_pages(pages, smallest_page), largest_piece));
    }
    std::vector<std::byte>& piece = pieces_.back();
    const Bytes here = bytes.first(std::min(bytes.size(), room_in(piece) - piece.size()));
    piece.insert(piece.end(), here.begin(), here.end());
    size_ += here.size();
    bytes = bytes.subspan(here.size());
  }
}

inline std::size_t HeldBytes::read(std::uint64_t offset, std::span<std::byte> into) const {
  std::size_t done = 0;
  auto number = static_cast<std::size_t>(std::ranges::upper_bound(begins_, offset) - begins_.begin());
  for (number -= number > 0; done < into.size() && number < pieces_.size(); ++number) {
    const std::uint64_t skip = offset + done - begins_[number];
    if (skip >= pieces_[number].size()) break;
    const std::size_t size = std::min<std::size_t>(into.size() - done, pieces_[number].size() - skip);
    std::memcpy(into.data() + done, pieces_[number].data() + skip, size);
    done += size;
  }
  return done;
}

}  // namespace critpipe
