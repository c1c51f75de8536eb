// The entries of an open directory.
#pragma once

#include <array>
#include <cstddef>
#include <dirent.h>

namespace critpipe {

// Lists from the position of a descriptor on, which it moves: for one thread at a time. A DIR would take a descriptor
// of its own, and threads that open and close many wait for each other.
class DirectoryEntries {
 public:
  // The caller keeps the descriptor open.
  explicit DirectoryEntries(int directory) : directory_{directory} {}
  // Lives until the next call. Null: the end, or what errno says if it is not 0.
  const dirent64* next();

 private:
  static constexpr std::size_t block_bytes = 8 << 10;

  int directory_;
  std::size_t at_ = 0, end_ = 0;
  alignas(dirent64) std::array<char, block_bytes> block_;
};

}  // namespace critpipe
