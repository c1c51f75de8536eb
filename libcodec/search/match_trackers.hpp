// From ends that the engine reports to matches. Internal.
#pragma once

#include <deque>

#include "search/pattern_engine.hpp"
#include "search/recent_bytes.hpp"

namespace critpipe::search {

struct MatchSpan {
  std::uint64_t begin, end;  // positions
  std::size_t pattern;
};

// Finds the exact bounds of matches in the bytes that are still there.
class MatchFinder {
 public:
  MatchFinder(const Patterns::Compiled& compiled, hs_scratch_t* scratch) : compiled_{compiled}, scratch_{scratch} {}

  struct Span {
    std::uint64_t begin, end;
  };
  // The match that begins first in [from, to), of those the longest, or for a lazy pattern the shortest.
  bool first_match(const ExactPattern& exact, const RecentBytes& recent, std::uint64_t from, std::uint64_t to,
                   Span& found);
  // All ends in (from, to] with their first starts from `from` on.
  void all_matches(const ExactPattern& exact, const RecentBytes& recent, std::uint64_t from, std::uint64_t to,
                   std::vector<Span>& found);

 private:
  bool try_start(const ExactPattern& exact, const RecentBytes& recent, std::uint64_t at, std::uint64_t to, Span& found);

  const Patterns::Compiled& compiled_;
  hs_scratch_t* scratch_;
  std::vector<std::byte> bytes_;
};

// Ends of a bounded pattern that are waiting for the bytes behind them.
class BoundedTracker {
 public:
  BoundedTracker(const Patterns::Compiled& compiled, std::size_t pattern)
      : pattern_{compiled.patterns[pattern]}, exact_{compiled.exact_patterns[pattern_.place]}, number_{pattern} {}

  void note_end(std::uint64_t end);
  // `last`: nothing follows the recent bytes.
  void settle(const RecentBytes& recent, bool last, MatchFinder& finder, std::vector<MatchSpan>& matches);
  std::uint64_t earliest(std::uint64_t now) const;  // where the next match may begin

 private:
  struct Ends {
    std::uint64_t first, last;
  };
  void drop_to(std::uint64_t end);

  const Pattern& pattern_;
  const ExactPattern& exact_;
  std::size_t number_;
  std::uint64_t behind_ = 0;  // the last match ended here
  std::deque<Ends> ends_;     // ascending, apart
};

// Matches of an unbounded pattern that may still grow.
class UnboundedTracker {
 public:
  UnboundedTracker(const Patterns::Compiled& compiled, std::size_t pattern)
      : pattern_{compiled.patterns[pattern]}, exact_{compiled.exact_patterns[pattern_.place]}, number_{pattern} {}

  void note(std::uint64_t begin, std::uint64_t end);
  // True: starts have been hidden for long. Search again from behind() on, after restart().
  bool settle(const RecentBytes& recent, bool last, MatchFinder& finder, std::vector<MatchSpan>& matches);
  std::uint64_t behind() const { return behind_; }
  void restart() {
    candidates_.clear();
    floor_ = behind_;
  }
  // Takes a match as it is. For lazy patterns.
  MatchSpan take(std::uint64_t begin, std::uint64_t end) {
    behind_ = end;
    return {begin, end, number_};
  }

  struct Candidate {
    std::uint64_t begin, end;
  };
  const std::deque<Candidate>& candidates() const { return candidates_; }

 private:
  bool uncover(const RecentBytes& recent, MatchFinder& finder);

  const Pattern& pattern_;
  const ExactPattern& exact_;
  std::size_t number_;
  std::uint64_t behind_ = 0;          // the last match ended here
  std::uint64_t floor_ = 0;           // starts before it are of no interest
  std::deque<Candidate> candidates_;  // ascending
  std::vector<MatchFinder::Span> found_;
};

}  // namespace critpipe::search
