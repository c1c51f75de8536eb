// Matches in a pages image whose pagemap has not come yet. Internal.
//
// The image is searched as if all its pages were adjacent. A match that stays inside what turns out to be adjacent is
// one. One that crosses a page border keeps the bytes around it: where the border turns out to be a gap, those are
// searched again, each side by itself. That gives what a search at addresses gives but where matches follow each other
// without a gap from such a border on; so what can be read a second time is, where any match crosses one.
#pragma once

#include <deque>
#include <functional>

#include "search/searched_memory.hpp"

namespace critpipe::search {

constexpr std::size_t around_bytes = 4096;            // kept behind a match that crosses a page border
constexpr std::uint64_t max_waiting_bytes = 8 << 20;  // of all images together

// The bytes that all matches take that wait.
struct WaitingRoom {
  std::uint64_t held_bytes = 0;
};

class WaitingMatches {
 public:
  // Which matches may turn out to be cut, so that the bytes behind them are kept.
  enum class Around : std::uint8_t { page_borders, all };
  WaitingMatches(const Patterns& patterns, std::size_t context, Around around, WaitingRoom& room)
      : patterns_{patterns}, context_{context}, around_{around}, room_{room} {}
  ~WaitingMatches() { room_.held_bytes -= held_bytes_; }
  WaitingMatches(const WaitingMatches&) = delete;
  WaitingMatches& operator=(const WaitingMatches&) = delete;

  // Requires: positions in the image as addresses, and a context of at least around_bytes. Ascending.
  // False: too many wait.
  bool add(const Found& found);

  using Give = std::function<Step(const Found&)>;
  // Does any match lie only partly in what is adjacent?
  bool any_is_cut(const std::vector<PlacedBytes>& parts) const;
  // Where the parts lie in memory is known now. `lost` gets the lengths of matches that cannot be told apart.
  Step resolve(const std::vector<PlacedBytes>& parts, const Give& give, const std::function<void(std::uint64_t)>& lost);
  // There is no pagemap: as they stand.
  Step as_they_stand(const Give& give);

 private:
  struct One {
    std::uint64_t begin, length;
    std::size_t pattern;
    std::size_t before, match, after;  // sizes in bytes
    std::vector<std::byte> bytes;
  };
  Found found_of(const One& one, std::size_t before, std::size_t after) const;
  Step search_again(const One& one, const std::vector<PlacedBytes>& parts, const Give& give);

  const Patterns& patterns_;
  std::size_t context_;
  Around around_;
  WaitingRoom& room_;
  std::deque<One> all_;
  std::uint64_t held_bytes_ = 0;
  std::map<std::size_t, std::uint64_t> taken_to_;  // by pattern: where matches that were searched again end
};

}  // namespace critpipe::search
