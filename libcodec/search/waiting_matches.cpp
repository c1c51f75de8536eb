#include "search/waiting_matches.hpp"

#include <algorithm>

namespace critpipe::search {

namespace {

// The part that holds the byte; null: none.
const PlacedBytes* part_at(const std::vector<PlacedBytes>& parts, std::uint64_t at) {
  const auto next = std::ranges::upper_bound(parts, at, {}, &PlacedBytes::position);
  if (next == parts.begin()) return nullptr;
  const PlacedBytes& part = *std::prev(next);
  return at < part.end() ? &part : nullptr;
}

// Where what is adjacent to this part, in the image and in memory, ends.
std::uint64_t end_of_stretch(const std::vector<PlacedBytes>& parts, const PlacedBytes* part) {
  const PlacedBytes* const last = parts.data() + parts.size();
  for (const PlacedBytes* next = part + 1; next != last; part = next++)
    if (next->position != part->end() || next->address != part->address + part->size) break;
  return part->end();
}

std::uint64_t begin_of_stretch(const std::vector<PlacedBytes>& parts, const PlacedBytes* part) {
  for (; part != parts.data(); --part) {
    const PlacedBytes& before = part[-1];
    if (before.end() != part->position || before.address + before.size != part->address) break;
  }
  return part->position;
}

}  // namespace

bool WaitingMatches::add(const Found& found) {
  const std::uint64_t last = found.address + found.length - 1;
  const bool may_be_cut =
      around_ == Around::all || pages_in(found.address, smallest_page) != pages_in(last, smallest_page);
  One one{found.address,
          found.length,
          found.pattern,
          std::min(found.before.size(), context_),
          found.match.size(),
          may_be_cut ? found.after.size() : std::min(found.after.size(), context_),
          {}};
  const std::uint64_t bytes = sizeof one + one.before + one.match + one.after;
  if (room_.held_bytes + bytes > max_waiting_bytes) return false;
  held_bytes_ += bytes;
  room_.held_bytes += bytes;
  const Bytes before = found.before.last(one.before);
  one.bytes.reserve(one.before + one.match + one.after);
  one.bytes.insert(one.bytes.end(), before.begin(), before.end());
  one.bytes.insert(one.bytes.end(), found.match.begin(), found.match.end());
  one.bytes.insert(one.bytes.end(), found.after.begin(), found.after.begin() + static_cast<std::ptrdiff_t>(one.after));
  all_.push_back(std::move(one));
  return true;
}

Found WaitingMatches::found_of(const One& one, std::size_t before, std::size_t after) const {
  const Bytes bytes{one.bytes};
  return {one.begin,
          one.length,
          one.pattern,
          bytes.subspan(one.before - before, before),
          bytes.subspan(one.before, one.match),
          bytes.subspan(one.before + one.match, after)};
}

bool WaitingMatches::any_is_cut(const std::vector<PlacedBytes>& parts) const {
  return std::ranges::any_of(all_, [&](const One& one) {
    const std::uint64_t end = one.begin + one.length;
    const PlacedBytes* part = part_at(parts, one.begin);
    if (part) return end_of_stretch(parts, part) < end;
    const auto next = std::ranges::upper_bound(parts, one.begin, {}, &PlacedBytes::position);
    return next != parts.end() && next->position < end;
  });
}

Step WaitingMatches::resolve(const std::vector<PlacedBytes>& parts, const Give& give,
                             const std::function<void(std::uint64_t)>& lost) {
  for (; !all_.empty(); all_.pop_front()) {
    const One& one = all_.front();
    const auto taken = taken_to_.find(one.pattern);
    if (taken != taken_to_.end() && one.begin < taken->second) continue;
    const PlacedBytes* part = part_at(parts, one.begin);
    const std::uint64_t end = one.begin + one.length;
    if (part && end_of_stretch(parts, part) >= end) {
      const std::uint64_t room_before = one.begin - begin_of_stretch(parts, part);
      const std::uint64_t room_after = end_of_stretch(parts, part) - end;
      Found found = found_of(one, static_cast<std::size_t>(std::min<std::uint64_t>(one.before, room_before)),
                             static_cast<std::size_t>(std::min<std::uint64_t>({one.after, context_, room_after})));
      found.address = part->address + (one.begin - part->position);
      if (give(found) == Step::stop) return Step::stop;
    } else if (one.match < one.length) {
      lost(one.length);
    } else if (search_again(one, parts, give) == Step::stop) {
      return Step::stop;
    }
  }
  return Step::go;
}

// The bytes of a match and of what follows, each stretch by itself. What begins behind the match is found already.
Step WaitingMatches::search_again(const One& one, const std::vector<PlacedBytes>& parts, const Give& give) {
  const Bytes bytes = Bytes{one.bytes}.subspan(one.before);
  const std::uint64_t end = one.begin + bytes.size();
  std::uint64_t shift = 0;
  Search search{patterns_, context_, [&](const Found& found) {
                  const std::uint64_t begin = found.address - shift;
                  if (found.pattern != one.pattern || begin >= one.begin + one.length) return Step::go;
                  taken_to_[one.pattern] = begin + found.length;
                  return give(found);
                }};
  for (std::uint64_t at = one.begin; at < end;) {
    const PlacedBytes* part = part_at(parts, at);
    if (!part) {
      const auto next = std::ranges::upper_bound(parts, at, {}, &PlacedBytes::position);
      if (next == parts.end() || next->position >= end) break;
      at = next->position;
      continue;
    }
    const std::uint64_t to = std::min(end, end_of_stretch(parts, part));
    shift = part->address - part->position;
    search.begin(at + shift);
    const Bytes stretch = bytes.subspan(static_cast<std::size_t>(at - one.begin), static_cast<std::size_t>(to - at));
    if (search.feed(stretch) == Step::stop || search.end() == Step::stop) return Step::stop;
    at = to;
  }
  return Step::go;
}

Step WaitingMatches::as_they_stand(const Give& give) {
  for (; !all_.empty(); all_.pop_front())
    if (give(found_of(all_.front(), all_.front().before, std::min(all_.front().after, context_))) == Step::stop)
      return Step::stop;
  return Step::go;
}

}  // namespace critpipe::search
