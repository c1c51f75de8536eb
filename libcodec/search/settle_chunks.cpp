// What chunks of a search found, put together: the caller's part of ParallelSearch.
#include <algorithm>

#include "search/parallel_search.hpp"
#include "search/pattern_engine.hpp"

namespace critpipe::search {

namespace {

constexpr std::uint64_t everything = ~std::uint64_t{0};

}  // namespace

void ParallelSearch::settle(ChunkPtr chunk) {
  for (const Error& error : chunk->read_errors)
    if (on_read_error_) on_read_error_(error);
  if (chunk->goes_on() && previous_ && !previous_->ends_open()) chunk->forget_head();
  if (!chunk->goes_on()) end_stretch();
  if (chunk->error) {
    error_ = chunk->error;
    step_ = Step::stop;
  } else if (step_ == Step::go && !chunk->runs().empty()) {
    if (!chunk->goes_on()) {
      if (chunk->is_full) search_alone(*chunk, 0);
      else take(*chunk, 0);
    } else if (is_alone_) {
      go_on_alone(*chunk);
    } else if (!meets(*chunk)) {
      search_again(*settled_);
      go_on_alone(*chunk);
    }
  }
  if (previous_) {
    previous_->leave_room();
    free_.push_back(std::move(previous_));
  }
  previous_ = std::move(chunk);
}

// Whatever waited is out.
void ParallelSearch::end_stretch() {
  if (is_alone_) end_alone();
  report_until(everything);
  settled_ = nullptr;
}

// The matches of its last stretch wait for the chunk that goes on with it.
void ParallelSearch::take(const SearchChunk& chunk, std::uint64_t from) {
  settled_ = &chunk;
  from_ = from;
  nr_reported_ = 0;
  if (chunk.runs().size() > 1) report_until(chunk.runs().back().position);
}

void ParallelSearch::report_until(std::uint64_t end) {
  if (!settled_) return;
  const KeptMatches& matches = settled_->matches;
  for (; nr_reported_ < matches.size() && matches.begin(nr_reported_) < end; ++nr_reported_) {
    if (matches.begin(nr_reported_) < from_) continue;
    const Match found = matches.at(nr_reported_);
    report(found, settled_->address_of(found.address));
    if (step_ == Step::stop) return;
  }
}

void ParallelSearch::report(Match found, std::uint64_t address) {
  if (step_ == Step::stop) return;
  found.address = address;
  step_ = on_match_(found);
}

// The first place that no match spans, on either side.
std::optional<std::uint64_t> ParallelSearch::meeting_place(const KeptMatches& left, std::size_t from,
                                                           const SearchChunk& right, Between between) const {
  std::uint64_t place = between.first;
  for (std::size_t on_left = from, on_right = 0; place <= between.latest;) {
    std::uint64_t end = place;
    for (; on_left < left.size() && left.begin(on_left) < place; ++on_left) end = std::max(end, left.end(on_left));
    for (; on_right < right.matches.size() && right.matches.begin(on_right) < place; ++on_right)
      end = std::max(end, right.matches.end(on_right));
    if (end == place) return is_left_behind(right, place, between.seen_to) ? std::optional{place} : std::nullopt;
    place = end;
  }
  return std::nullopt;
}

// Does every match that begins before the place end in what was seen? An unbounded one has only so many bytes that it
// does not repeat.
bool ParallelSearch::is_left_behind(const SearchChunk& chunk, std::uint64_t place, std::uint64_t seen_to) const {
  if (patterns_.compiled().nr_unbounded == 0) return true;
  const auto& shape = patterns_.compiled().unbounded;
  if (!shape) return false;
  std::uint64_t left = shape->others;
  const auto passes = [&](Bytes bytes, std::uint64_t position) {
    const std::uint64_t skip = place > position ? std::min<std::uint64_t>(place - position, bytes.size()) : 0;
    const std::uint64_t most = seen_to > position ? std::min<std::uint64_t>(seen_to - position, bytes.size()) : 0;
    for (std::uint64_t i = skip; i < most; ++i)
      if (!shape->repeated.test(static_cast<std::size_t>(bytes[i])) && left-- == 0) return true;
    return false;
  };
  const SearchChunk::Run& run = chunk.runs().front();
  return passes(chunk.head(), chunk.head_position()) || passes(chunk.bytes(run), run.position);
}

bool ParallelSearch::meets(const SearchChunk& chunk) {
  if (chunk.is_full) return false;
  const std::uint64_t border = chunk.runs().front().position;
  if (border < needs_after_) return false;
  const auto place = meeting_place(
      settled_->matches, nr_reported_, chunk,
      {.first = std::max(first_meeting(chunk), from_), .latest = border - needs_after_, .seen_to = border});
  if (!place) return false;
  ++nr_met_;
  report_until(*place);
  take(chunk, *place);
  return true;
}

// From here on, what this thread finds counts.
void ParallelSearch::search_again(const SearchChunk& chunk) {
  const SearchChunk::Run& run = chunk.runs().back();
  const bool goes_on = chunk.runs().size() == 1 && chunk.goes_on();
  const std::uint64_t position = goes_on ? chunk.head_position() : run.position;
  begin_alone(position, run.address - (run.position - position));
  alone_from_ = alone_end_ = from_;
  settled_ = nullptr;
  if (goes_on) feed_alone(chunk.head());
  feed_alone(chunk.bytes(run));
}

void ParallelSearch::begin_alone(std::uint64_t position, std::uint64_t address) {
  if (is_alone_) end_alone();
  is_alone_ = true;
  alone_from_ = alone_end_ = 0;
  shift_ = address - position;
  alone_.begin(position);
}

void ParallelSearch::feed_alone(Bytes bytes) {
  report_alone(everything);
  found_too_many_ = false;
  if (step_ == Step::go) went_alone(alone_.feed(bytes));
}

void ParallelSearch::end_alone() {
  report_alone(everything);
  is_alone_ = false;
  if (step_ == Step::go) went_alone(alone_.end());
  report_alone(everything);
}

void ParallelSearch::went_alone(Step step) {
  if (step == Step::go) return;
  step_ = step;
  error_ = alone_.error();
}

Step ParallelSearch::found_alone(const Match& found) {
  if (found.address < alone_from_) return Step::go;
  if (!found_.add(found)) {
    report_alone(everything);
    found_too_many_ = true;
    alone_end_ = std::max(alone_end_, found.address + found.length);
    report(found, found.address + shift_);
  }
  return step_;
}

void ParallelSearch::report_alone(std::uint64_t end) {
  std::size_t nr = 0;
  for (; nr < found_.size() && found_.begin(nr) < end && step_ == Step::go; ++nr) {
    const Match found = found_.at(nr);
    alone_end_ = std::max(alone_end_, found_.end(nr));
    report(found, found.address + shift_);
  }
  found_.clear();
}

void ParallelSearch::search_alone(const SearchChunk& chunk, std::size_t first_run) {
  for (std::size_t i = first_run; i < chunk.runs().size() && step_ == Step::go; ++i) {
    const SearchChunk::Run& run = chunk.runs()[i];
    begin_alone(run.position, run.address);
    feed_alone(chunk.bytes(run));
  }
}

// A chunk whose first run goes on with what this thread searches.
void ParallelSearch::go_on_alone(const SearchChunk& chunk) {
  feed_alone(chunk.bytes(chunk.runs().front()));
  if (step_ == Step::stop) return;
  if (chunk.runs().size() == 1) return meet_alone(chunk);
  if (chunk.is_full) return search_alone(chunk, 1);
  end_alone();
  take(chunk, chunk.runs()[1].position);
}

void ParallelSearch::meet_alone(const SearchChunk& chunk) {
  if (chunk.is_full || found_too_many_) return;
  const SearchChunk::Run& run = chunk.runs().front();
  const auto place = meeting_place(found_, 0, chunk,
                                   {.first = std::max(first_meeting(chunk), alone_end_),
                                    .latest = alone_.reported_to(),
                                    .seen_to = run.position + run.size});
  if (!place) return;
  ++nr_met_;
  report_alone(*place);
  is_alone_ = false;
  alone_from_ = everything;
  (void)alone_.end();
  take(chunk, *place);
}

}  // namespace critpipe::search
