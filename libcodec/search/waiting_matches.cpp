#include "search/waiting_matches.hpp"

#include <algorithm>

namespace critpipe::search {

namespace {

// The extent that holds the byte; null: none.
const PlacedBytes* extent_at(const std::vector<PlacedBytes>& extents, std::uint64_t at) {
  const auto next = std::ranges::upper_bound(extents, at, {}, &PlacedBytes::position);
  if (next == extents.begin()) return nullptr;
  const PlacedBytes& extent = *std::prev(next);
  return at < extent.end() ? &extent : nullptr;
}

}  // namespace

bool WaitingMatches::add(const Match& found) {
  const std::uint64_t last = found.address + found.length - 1;
  const bool may_be_cut = around_ == Around::all || found.address / smallest_page != last / smallest_page;
  WaitingMatch one{.begin = found.address,
                   .length = found.length,
                   .pattern = found.pattern,
                   .before = std::min(found.before.size(), context_),
                   .match = found.match.size(),
                   .after = may_be_cut ? found.after.size() : std::min(found.after.size(), context_),
                   .bytes = {}};
  const std::uint64_t bytes = sizeof one + one.before + one.match + one.after;
  if (budget_.held_bytes + bytes > max_waiting_bytes) return false;
  held_bytes_ += bytes;
  budget_.held_bytes += bytes;
  const Bytes before = found.before.last(one.before);
  one.bytes.reserve(one.before + one.match + one.after);
  one.bytes.insert(one.bytes.end(), before.begin(), before.end());
  one.bytes.insert(one.bytes.end(), found.match.begin(), found.match.end());
  one.bytes.insert(one.bytes.end(), found.after.begin(), found.after.begin() + static_cast<std::ptrdiff_t>(one.after));
  all_.push_back(std::move(one));
  return true;
}

Match WaitingMatches::match_of(const WaitingMatch& one, std::size_t before, std::size_t after) const {
  const Bytes bytes{one.bytes};
  return {.address = one.begin,
          .length = one.length,
          .pattern = one.pattern,
          .before = bytes.subspan(one.before - before, before),
          .match = bytes.subspan(one.before, one.match),
          .after = bytes.subspan(one.before + one.match, after)};
}

bool WaitingMatches::any_is_cut(const std::vector<PlacedBytes>& extents) const {
  return std::ranges::any_of(all_, [&](const WaitingMatch& one) {
    const std::uint64_t end = one.begin + one.length;
    const PlacedBytes* extent = extent_at(extents, one.begin);
    if (extent) return extent->end() < end;
    const auto next = std::ranges::upper_bound(extents, one.begin, {}, &PlacedBytes::position);
    return next != extents.end() && next->position < end;
  });
}

Step WaitingMatches::resolve(const std::vector<PlacedBytes>& extents, const OnMatch& give, const OnLost& lost) {
  taken_to_.clear();
  for (const WaitingMatch& one : all_) {
    const auto taken = taken_to_.find(one.pattern);
    if (taken != taken_to_.end() && one.begin < taken->second) continue;
    const PlacedBytes* extent = extent_at(extents, one.begin);
    const std::uint64_t end = one.begin + one.length;
    if (extent && extent->end() >= end) {
      const std::uint64_t room_before = one.begin - extent->position;
      const std::uint64_t room_after = extent->end() - end;
      Match found = match_of(one, static_cast<std::size_t>(std::min<std::uint64_t>(one.before, room_before)),
                             static_cast<std::size_t>(std::min<std::uint64_t>({one.after, context_, room_after})));
      found.address = extent->address + (one.begin - extent->position);
      if (give(found) == Step::stop) return Step::stop;
    } else if (one.match < one.length) {
      Error error{Reason::limit_match};
      error.have = one.length;
      lost(error);
    } else if (search_again(one, extents, give, lost) == Step::stop) {
      return Step::stop;
    }
  }
  return Step::go;
}

// Searches the bytes of a match and those behind it, each stretch by itself. What begins behind the match was found
// before.
Step WaitingMatches::search_again(const WaitingMatch& one, const std::vector<PlacedBytes>& extents, const OnMatch& give,
                                  const OnLost& lost) {
  const Bytes bytes = Bytes{one.bytes}.subspan(one.before);
  const std::uint64_t end = one.begin + bytes.size();
  std::uint64_t shift = 0;
  Search search{patterns_, context_, [&](const Match& found) {
                  const std::uint64_t begin = found.address - shift;
                  if (found.pattern != one.pattern || begin >= one.begin + one.length) return Step::go;
                  taken_to_[one.pattern] = begin + found.length;
                  return give(found);
                }};
  for (std::uint64_t at = one.begin; at < end;) {
    const PlacedBytes* extent = extent_at(extents, at);
    if (!extent) {
      const auto next = std::ranges::upper_bound(extents, at, {}, &PlacedBytes::position);
      if (next == extents.end() || next->position >= end) break;
      at = next->position;
      continue;
    }
    const std::uint64_t to = std::min(end, extent->end());
    shift = extent->address - extent->position;
    search.begin(at + shift);
    const Bytes stretch = bytes.subspan(static_cast<std::size_t>(at - one.begin), static_cast<std::size_t>(to - at));
    if (search.feed(stretch) == Step::stop || search.end() == Step::stop) {
      if (!search.error()) return Step::stop;
      lost(search.error());
      break;
    }
    at = to;
  }
  return Step::go;
}

Step WaitingMatches::resolve_without_pagemap(const OnMatch& give) {
  for (; !all_.empty(); all_.pop_front())
    if (give(match_of(all_.front(), all_.front().before, std::min(all_.front().after, context_))) == Step::stop)
      return Step::stop;
  return Step::go;
}

}  // namespace critpipe::search
