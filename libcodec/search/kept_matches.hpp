// Matches that wait for their turn, with the bytes that are handed out. Internal.
#pragma once

#include <vector>

#include "critpipe/search.hpp"

namespace critpipe::search {

class KeptMatches {
 public:
  static constexpr std::size_t most_bytes = 1 << 20;

  // False: that is too much, and it was not added.
  bool add(const Match& found) {
    const std::size_t bytes = found.before.size() + found.match.size() + found.after.size();
    if ((all_.size() + 1) * sizeof(Kept) + bytes_.size() + bytes > most_bytes) return false;
    all_.push_back({.begin = found.address,
                    .length = found.length,
                    .pattern = found.pattern,
                    .at = bytes_.size(),
                    .before = static_cast<std::uint32_t>(found.before.size()),
                    .match = static_cast<std::uint32_t>(found.match.size()),
                    .after = static_cast<std::uint32_t>(found.after.size())});
    for (const Bytes part : {found.before, found.match, found.after})
      bytes_.insert(bytes_.end(), part.begin(), part.end());
    return true;
  }
  void clear() {
    all_.clear();
    bytes_.clear();
  }
  std::size_t size() const { return all_.size(); }
  std::uint64_t begin(std::size_t index) const { return all_[index].begin; }
  std::uint64_t end(std::size_t index) const { return all_[index].begin + all_[index].length; }
  Match at(std::size_t index) const {
    const Kept& kept = all_[index];
    const Bytes bytes = Bytes{bytes_}.subspan(kept.at);
    return {.address = kept.begin,
            .length = kept.length,
            .pattern = kept.pattern,
            .before = bytes.first(kept.before),
            .match = bytes.subspan(kept.before, kept.match),
            .after = bytes.subspan(std::size_t{kept.before} + kept.match, kept.after)};
  }

 private:
  struct Kept {
    std::uint64_t begin, length;
    std::size_t pattern, at;
    std::uint32_t before, match, after;  // bytes
  };
  std::vector<Kept> all_;
  std::vector<std::byte> bytes_;
};

}  // namespace critpipe::search
