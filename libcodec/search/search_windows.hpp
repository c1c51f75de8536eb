// The parts of a stretch that can have a match: around texts of which every match has one. Internal.
#pragma once

#include <memory>
#include <optional>

#include "search/literal_finder.hpp"
#include "search/literal_set.hpp"
#include "search/pattern_shape.hpp"
#include "search/recent_bytes.hpp"

namespace critpipe::search {

// What patterns need, all of them together. Any number of threads may use it.
struct NeededByAll {
  NeededTexts texts;
  std::uint64_t others = 0;  // as in PatternShape
  ByteSet repeated;
  std::size_t longest = 0;               // of the texts
  std::unique_ptr<LiteralSet> set = {};  // null: it is one text, as it is
};

// No match spans the end of a window, or begins before it and has its text in it.
class SearchWindows {
 public:
  explicit SearchWindows(const NeededByAll& needed);

  struct Piece {
    std::uint64_t from, to;  // positions
    bool begins, ends;       // a window
  };
  // The parts of the last bytes that are in windows; a window may begin before them. `block`: how many of the recent
  // bytes are new.
  const std::vector<Piece>& next(const RecentBytes& recent, std::size_t block);
  bool is_open() const { return is_open_; }
  void restart() { is_open_ = false; }  // the next bytes are those of a new stretch

 private:
  void find_texts(const RecentBytes& recent, std::size_t block);
  bool closes(const RecentBytes& recent, std::uint64_t to);
  std::uint64_t begin_of(std::uint64_t text, const RecentBytes& recent) const;
  void all_of(const RecentBytes& recent, std::size_t block);

  const NeededByAll& needed_;
  const std::uint64_t most_left_;
  std::optional<LiteralFinder> one_;
  bool is_open_ = false;
  std::uint64_t left_ = 0;    // so many bytes that nothing repeats end the window
  std::uint64_t walked_ = 0;  // up to here they were counted
  unsigned nr_whole_ = 0;     // blocks to come that are one window: windows do not pay
  std::vector<std::uint64_t> texts_;
  std::vector<Piece> pieces_;
  std::vector<std::byte> bytes_;
};

}  // namespace critpipe::search
