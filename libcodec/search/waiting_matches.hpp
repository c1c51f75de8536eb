// Matches in a pages image whose pagemap has not come yet. Internal.
//
// The image is searched as if all its pages were adjacent in memory. A match inside one stretch of memory is reported
// as it is. A match across a page border keeps the bytes around it: if the border turns out to be a gap in memory, each
// side is searched again by itself. The result is that of a search by address, unless matches follow each other closely
// behind such a border; therefore an input that can be read twice is, if any match crosses a gap.
#pragma once

#include <deque>
#include <functional>

#include "search/memory_owners.hpp"

namespace critpipe::search {

constexpr std::size_t around_bytes = 4096;            // kept behind a match that crosses a page border
constexpr std::uint64_t max_waiting_bytes = 8 << 20;  // of all images together

// The memory that waiting matches of all images take together.
struct WaitingBudget {
  std::uint64_t held_bytes = 0;
};

class WaitingMatches {
 public:
  // Which matches may turn out to cross a gap: the bytes behind them are kept.
  enum class Around : std::uint8_t { page_borders, all };
  WaitingMatches(const Patterns& patterns, std::size_t context, Around around, WaitingBudget& budget)
      : patterns_{patterns}, context_{context}, around_{around}, budget_{budget} {}
  ~WaitingMatches() { budget_.held_bytes -= held_bytes_; }
  WaitingMatches(const WaitingMatches&) = delete;
  WaitingMatches& operator=(const WaitingMatches&) = delete;

  // Takes a match whose address is its offset in the image, in ascending order. Requires: it was searched for with a
  // context of at least around_bytes. False: it does not fit the budget.
  bool add(const Match& found);

  using OnMatch = Search::OnMatch;
  using OnLost = std::function<void(Error)>;
  // Does any match cross a gap?
  bool any_is_cut(const std::vector<PlacedBytes>& extents) const;
  // A pagemap is known now. `lost` gets an error, without an image, for each match that can't be searched again.
  Step resolve(const std::vector<PlacedBytes>& extents, const OnMatch& give, const OnLost& lost);
  // There is no pagemap: reports offsets in the image as addresses.
  Step resolve_without_pagemap(const OnMatch& give);

 private:
  struct WaitingMatch {
    std::uint64_t begin, length;
    std::size_t pattern;
    std::size_t before, match, after;  // sizes in bytes
    std::vector<std::byte> bytes;
  };
  Match match_of(const WaitingMatch& one, std::size_t before, std::size_t after) const;
  Step search_again(const WaitingMatch& one, const std::vector<PlacedBytes>& extents, const OnMatch& give,
                    const OnLost& lost);

  const Patterns& patterns_;
  std::size_t context_;
  Around around_;
  WaitingBudget& budget_;
  std::deque<WaitingMatch> all_;
  std::uint64_t held_bytes_ = 0;
  std::map<std::size_t, std::uint64_t> taken_to_;  // by pattern: where matches that were searched again end
};

}  // namespace critpipe::search
