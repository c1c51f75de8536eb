// From ends that the engine reports to matches. Internal.
#pragma once

#include <deque>

#include "search/pattern_engine.hpp"
#include "search/search_window.hpp"

namespace critpipe::search {

struct Match {
  std::uint64_t begin, end;  // positions
  std::size_t pattern;
};

// A second look at the bytes of the window.
class Looker {
 public:
  Looker(const Patterns::Compiled& compiled, hs_scratch_t* scratch) : compiled_{compiled}, scratch_{scratch} {}

  struct Stretch {
    std::uint64_t begin, end;
  };
  // The match that begins first in [from, to), of those the longest, or for a lazy pattern the shortest.
  bool first_match(const Closer& closer, const Window& window, std::uint64_t from, std::uint64_t to, Stretch& found);
  // All ends in (from, to] with their first starts from `from` on.
  void all_matches(const Closer& closer, const Window& window, std::uint64_t from, std::uint64_t to,
                   std::vector<Stretch>& found);

 private:
  bool try_start(const Closer& closer, const Window& window, std::uint64_t at, std::uint64_t to, Stretch& found);

  const Patterns::Compiled& compiled_;
  hs_scratch_t* scratch_;
  std::vector<std::byte> bytes_;
};

// Ends of a bounded pattern that are waiting for the bytes behind them.
class BoundedTracker {
 public:
  BoundedTracker(const Patterns::Compiled& compiled, std::size_t pattern)
      : pattern_{compiled.patterns[pattern]}, closer_{compiled.closers[pattern_.place]}, number_{pattern} {}

  void note_end(std::uint64_t end);
  // `last`: nothing comes behind the window.
  void settle(const Window& window, bool last, Looker& looker, std::vector<Match>& matches);
  std::uint64_t earliest(std::uint64_t now) const;  // where the next match may begin

 private:
  struct Ends {
    std::uint64_t first, last;
  };
  void drop_to(std::uint64_t end);

  const Pattern& pattern_;
  const Closer& closer_;
  std::size_t number_;
  std::uint64_t behind_ = 0;  // the last match ended here
  std::deque<Ends> ends_;     // ascending, apart
};

// Matches of an unbounded pattern that may still grow.
class UnboundedTracker {
 public:
  UnboundedTracker(const Patterns::Compiled& compiled, std::size_t pattern)
      : pattern_{compiled.patterns[pattern]}, closer_{compiled.closers[pattern_.place]}, number_{pattern} {}

  void note(std::uint64_t begin, std::uint64_t end);
  // True: starts have been hidden for long. Search again from behind() on, after restart().
  bool settle(const Window& window, bool last, Looker& looker, std::vector<Match>& matches);
  std::uint64_t behind() const { return behind_; }
  void restart() {
    candidates_.clear();
    floor_ = behind_;
  }
  // Takes a match as it is. For lazy patterns.
  Match take(std::uint64_t begin, std::uint64_t end) {
    behind_ = end;
    return {begin, end, number_};
  }

  struct Candidate {
    std::uint64_t begin, end;
  };
  const std::deque<Candidate>& candidates() const { return candidates_; }

 private:
  bool uncover(const Window& window, Looker& looker);

  const Pattern& pattern_;
  const Closer& closer_;
  std::size_t number_;
  std::uint64_t behind_ = 0;          // the last match ended here
  std::uint64_t floor_ = 0;           // starts before it are of no interest
  std::deque<Candidate> candidates_;  // ascending
  std::vector<Looker::Stretch> found_;
};

}  // namespace critpipe::search
