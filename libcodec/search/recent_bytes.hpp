// The bytes that are still looked at: the block that is being searched, and some of those before it. Internal.
//
// Positions count all bytes of all stretches; between two stretches one is left out, so that nothing spans it.
#pragma once

#include <cstring>
#include <vector>

#include "critpipe/image.hpp"

namespace critpipe::search {

class RecentBytes {
 public:
  // A new stretch. Returns the position of its first byte.
  std::uint64_t begin() {
    tail_.clear();
    block_ = {};
    return start_ = block_at_ = end() + 1;
  }
  void open(Bytes block) {
    block_at_ = end();
    block_ = block;
  }
  // The block goes away; of the bytes so far the last `keep` stay.
  void close(std::size_t keep) {
    if (keep <= block_.size()) {
      tail_.assign(block_.end() - static_cast<std::ptrdiff_t>(keep), block_.end());
    } else {
      const std::size_t old = std::min(keep - block_.size(), tail_.size());
      tail_.erase(tail_.begin(), tail_.end() - static_cast<std::ptrdiff_t>(old));
      tail_.insert(tail_.end(), block_.begin(), block_.end());
    }
    block_at_ = end();
    block_ = {};
  }

  std::uint64_t start() const { return start_; }                    // of the stretch
  std::uint64_t first() const { return block_at_ - tail_.size(); }  // what can be looked at
  std::uint64_t end() const { return block_at_ + block_.size(); }

  // The bytes from `from` to `to`, as far as they are here; put together in `scratch` where they lie apart.
  Bytes view(std::uint64_t from, std::uint64_t to, std::vector<std::byte>& scratch) const {
    from = std::max(from, first());
    to = std::min(to, end());
    if (from >= to) return {};
    const auto size = static_cast<std::size_t>(to - from);
    if (from >= block_at_) return block_.subspan(static_cast<std::size_t>(from - block_at_), size);
    const Bytes tail = Bytes{tail_}.subspan(static_cast<std::size_t>(from - first()));
    if (to <= block_at_) return tail.first(size);
    scratch.assign(tail.begin(), tail.end());
    const Bytes rest = block_.first(size - tail.size());
    scratch.insert(scratch.end(), rest.begin(), rest.end());
    return scratch;
  }

 private:
  std::vector<std::byte> tail_;
  Bytes block_;
  std::uint64_t start_ = 0;
  std::uint64_t block_at_ = 0;
};

}  // namespace critpipe::search
