#include "search/match_trackers.hpp"

#include <algorithm>

namespace critpipe::search {

namespace {

constexpr std::uint64_t far = 16 << 10;  // hidden starts nearer than this are looked for in place

const char* text_of(Bytes bytes) { return reinterpret_cast<const char*>(bytes.data()); }

template <typename Note>
void scan_block(const Database& database, Bytes bytes, hs_scratch_t* scratch, Note note) {
  struct Context {
    Note& note;
    EngineGuard guard;
  } context{note, {}};
  const auto call = [](unsigned, unsigned long long from, unsigned long long to, unsigned, void* given) {
    Context& to_note = *static_cast<Context*>(given);
    return to_note.guard.call([&] { return to_note.note(from, to) ? 0 : 1; });
  };
  const hs_error_t result =
      hs_scan(database.get(), text_of(bytes), static_cast<unsigned>(bytes.size()), 0, scratch, call, &context);
  context.guard.check(result, "hs_scan");
}

}  // namespace

bool MatchFinder::try_start(const ExactPattern& exact, const RecentBytes& recent, std::uint64_t at, std::uint64_t to,
                            Span& found) {
  const bool with_neighbour = at > recent.start();
  const std::uint64_t from = with_neighbour ? at - 1 : at;
  const bool lazy = compiled_.patterns[exact.pattern].traits.lazy;
  const Bytes bytes = recent.view(from, to, bytes_);
  std::uint64_t end = 0;
  scan_block(with_neighbour ? exact.behind_one : exact.here, bytes, scratch_,
             [&](std::uint64_t, std::uint64_t found_to) {
               end = from + found_to;
               return !lazy;
             });
  if (end == 0) return false;
  found = {at, end};
  return true;
}

bool MatchFinder::first_match(const ExactPattern& exact, const RecentBytes& recent, std::uint64_t from,
                              std::uint64_t to, Span& found) {
  const Pattern& pattern = compiled_.patterns[exact.pattern];
  if (!exact.starts) {
    for (std::uint64_t at = from; at + pattern.shortest <= to; ++at)
      if (try_start(exact, recent, at, std::min(to, at + pattern.longest + 1), found)) return true;
    return false;
  }
  found = {~std::uint64_t{0}, 0};
  const bool lazy = pattern.traits.lazy;
  scan_block(exact.starts, recent.view(from, to, bytes_), scratch_, [&](std::uint64_t begin, std::uint64_t end) {
    begin += from;
    end += from;
    if (begin < found.begin) found = {begin, end};
    else if (begin == found.begin) found.end = lazy ? std::min(found.end, end) : std::max(found.end, end);
    return true;
  });
  return found.end != 0;
}

void MatchFinder::all_matches(const ExactPattern& exact, const RecentBytes& recent, std::uint64_t from,
                              std::uint64_t to, std::vector<Span>& found) {
  const bool neighbour = compiled_.patterns[exact.pattern].traits.sees_neighbours && from > recent.start();
  const std::uint64_t first = neighbour ? from - 1 : from;
  // What stands behind the last end is seen too, so that no $ holds where a stretch goes on.
  scan_block(exact.starts, recent.view(first, to + 2, bytes_), scratch_, [&](std::uint64_t begin, std::uint64_t end) {
    if (first + begin >= from && first + end <= to) found.push_back({first + begin, first + end});
    return true;
  });
}

void BoundedTracker::note_end(std::uint64_t end) {
  if (ends_.empty() || end > ends_.back().last + 1) {
    ends_.push_back({end, end});
  } else if (end == ends_.back().last + 1) {
    ends_.back().last = end;
  } else if (end < ends_.back().first) {
    // Reported late: a few only, and near.
    auto at = ends_.end();
    while (at != ends_.begin() && std::prev(at)->first > end) --at;
    if (at == ends_.begin() || std::prev(at)->last < end) ends_.insert(at, {end, end});
  }
}

void BoundedTracker::drop_to(std::uint64_t end) {
  while (!ends_.empty() && ends_.front().last <= end) ends_.pop_front();
  if (!ends_.empty()) ends_.front().first = std::max(ends_.front().first, end + 1);
}

void BoundedTracker::settle(const RecentBytes& recent, bool last, MatchFinder& finder,
                            std::vector<MatchSpan>& matches) {
  const std::uint64_t now = recent.end();
  for (;;) {
    drop_to(std::max(behind_, recent.start()) + pattern_.shortest - 1);
    if (ends_.empty()) return;
    const std::uint64_t end = ends_.front().first;
    if (!last && now < end + pattern_.longest + 1) return;
    const std::uint64_t nearest = end > pattern_.longest ? end - pattern_.longest : 0;
    const std::uint64_t from = std::max({behind_, recent.start(), nearest});
    const std::uint64_t to = std::min(now, end + pattern_.longest + 1);
    MatchFinder::Span found{};
    const bool any = finder.first_match(exact_, recent, from, to, found);
    if (!any || found.begin + pattern_.shortest > end) {
      // Ends of matches that begin inside the last one, up to where another may begin behind it.
      drop_to(any ? found.begin + pattern_.shortest - 1 : std::max(end, to - 1));
      continue;
    }
    matches.push_back({found.begin, found.end, number_});
    behind_ = found.end;
  }
}

std::uint64_t BoundedTracker::earliest(std::uint64_t now) const {
  const std::uint64_t end = ends_.empty() ? now + 1 : ends_.front().first;
  return std::max(behind_, end > pattern_.longest ? end - pattern_.longest : 0);
}

void UnboundedTracker::note(std::uint64_t begin, std::uint64_t end) {
  if (end <= behind_ || begin < floor_) return;
  if (candidates_.empty() || candidates_.back().begin < begin) {
    candidates_.push_back({begin, end});
    return;
  }
  const auto behind = std::ranges::upper_bound(candidates_, begin, {}, &Candidate::begin);
  const auto at = behind == candidates_.begin() ? behind : std::prev(behind);
  const bool grows = at != behind && at->begin == begin && end <= at->end + max_lookahead;
  if (grows) at->end = std::max(at->end, end);
  else candidates_.insert(behind, {begin, end});
}

// Candidates that begin inside the last match hide others with the same end that begin behind it. False: too far off.
bool UnboundedTracker::uncover(const RecentBytes& recent, MatchFinder& finder) {
  std::uint64_t hidden_to = 0;
  while (!candidates_.empty() && candidates_.front().begin < behind_) {
    hidden_to = std::max(hidden_to, candidates_.front().end);
    candidates_.pop_front();
  }
  if (hidden_to < behind_ + pattern_.shortest) return true;
  if (hidden_to - behind_ > far) return false;
  found_.clear();
  finder.all_matches(exact_, recent, behind_, hidden_to, found_);
  for (const auto& [begin, end] : found_) note(begin, end);
  return true;
}

bool UnboundedTracker::settle(const RecentBytes& recent, bool last, MatchFinder& finder,
                              std::vector<MatchSpan>& matches) {
  for (;;) {
    if (!uncover(recent, finder)) return true;
    if (candidates_.empty()) return false;
    const Candidate first = candidates_.front();
    if (!last && recent.end() < first.end + max_lookahead) return false;
    candidates_.pop_front();
    const MatchSpan match = take(first.begin, first.end);
    if (match.end - match.begin >= pattern_.shortest) matches.push_back(match);
  }
}

}  // namespace critpipe::search
