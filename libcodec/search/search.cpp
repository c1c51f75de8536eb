#include "search/search_machine.hpp"

#include <algorithm>

namespace critpipe {

using namespace search;

namespace {

constexpr std::size_t slice_bytes = 128 << 10;
constexpr std::size_t max_waiting = 1 << 16;  // matches that wait for one that begins before them

hs_scratch_t* copy_of(const hs_scratch_t* scratch) {
  hs_scratch_t* copy = nullptr;
  return hs_clone_scratch(scratch, &copy) == HS_SUCCESS ? copy : throw std::bad_alloc{};
}

StreamState open_stream(const hs_database_t* database) {
  hs_stream_t* stream = nullptr;
  return hs_open_stream(database, 0, &stream) == HS_SUCCESS ? StreamState{stream} : throw std::bad_alloc{};
}

}  // namespace

Search::Machine::Machine(const Patterns::Compiled& compiled, std::size_t context, OnMatch on_match)
    : compiled_{compiled},
      context_{std::min(context, max_context)},
      on_match_{std::move(on_match)},
      scratch_{compiled.scratch ? copy_of(compiled.scratch.get()) : nullptr},
      finder_{compiled, scratch_.get()},
      behind_(compiled.patterns.size()),
      place_of_(compiled.patterns.size()) {
  if (compiled.is_one_literal()) literal_.emplace(compiled.patterns.front().bytes);
  if (compiled.needed) windows_.emplace(*compiled.needed);
  for (std::size_t i = 0; i < compiled.patterns.size(); ++i) {
    if (compiled.patterns[i].kind != Pattern::Kind::bounded) continue;
    place_of_[i] = bounded_.size();
    bounded_.emplace_back(compiled, i);
  }
  for (const Stream& stream : compiled.streams) {
    OpenStream& open = streams_.emplace_back();
    open.machine = this;
    open.of = &stream;
    if (stream.unbounded) open.tracker = std::make_unique<UnboundedTracker>(compiled, stream.pattern);
    open.state = open_stream(stream.database.get());
  }
}

Search::Machine::~Machine() = default;

int Search::Machine::note_shared(unsigned id, unsigned long long, unsigned long long to, unsigned, void* context) {
  const OpenStream& open = *static_cast<OpenStream*>(context);
  Machine& machine = *open.machine;
  return machine.guard_.call([&] {
    const std::uint64_t end = open.base + to;
    const std::uint64_t width = machine.compiled_.widths[id];
    if (width == 0) {
      machine.bounded_[machine.place_of_[id]].note_end(end);
      return 0;
    }
    std::uint64_t& behind = machine.behind_[id];
    if (end - width < behind) return 0;
    behind = end;
    machine.matches_.push_back({end - width, end, id});
    return 0;
  });
}

int Search::Machine::note_unbounded(unsigned, unsigned long long from, unsigned long long to, unsigned, void* context) {
  OpenStream& open = *static_cast<OpenStream*>(context);
  return open.machine->guard_.call([&] {
    open.tracker->note(open.base + from, open.base + to);
    return 0;
  });
}

// The first end is the one; the scan starts anew behind it.
int Search::Machine::note_lazy(unsigned, unsigned long long from, unsigned long long to, unsigned, void* context) {
  OpenStream& open = *static_cast<OpenStream*>(context);
  if (open.base + from < open.tracker->behind()) return 0;
  return open.machine->guard_.call([&] {
    open.machine->matches_.push_back(open.tracker->take(open.base + from, open.base + to));
    open.took = true;
    return 1;
  });
}

match_event_handler Search::Machine::note_of(const OpenStream& open) {
  return !open.of->unbounded ? note_shared : open.of->lazy ? note_lazy : note_unbounded;
}

void Search::Machine::begin(std::uint64_t address) {
  if (open_) (void)end();
  open_ = true;
  address_ = address;
  const std::uint64_t start = recent_.begin();
  for (OpenStream& open : streams_) open.base = start;
  if (windows_) windows_->restart();
}

// After a failure, or an exception, the streams are in no state to go on.
template <typename Work>
Step Search::Machine::guarded(Work work) {
  if (error_) return Step::stop;
  try {
    work();
  } catch (const EngineFailure& failure) {
    error_.reason = Reason::no_search;
    error_.name = failure.what;
    stopped_ = true;
  } catch (...) {
    error_.reason = Reason::no_search;
    error_.name = "an exception ended it";
    stopped_ = true;
    throw;
  }
  return stopped_ ? Step::stop : Step::go;
}

Step Search::Machine::feed(Bytes bytes) {
  return guarded([&] {
    while (!bytes.empty() && !stopped_) {
      const Bytes piece = bytes.first(std::min(bytes.size(), slice_bytes));
      if (slice(piece) == Step::stop) stopped_ = true;
      bytes = bytes.subspan(piece.size());
    }
  });
}

Step Search::Machine::slice(Bytes bytes) {
  recent_.open(bytes);
  if (literal_) scan_literal(bytes);
  if (compiled_.literals) scan_literals(bytes);
  if (windows_) {
    scan_windows(bytes.size());
  } else {
    scanned_to_ = recent_.end();
    for (OpenStream& open : streams_) scan(open, bytes);
  }
  settle(false);
  const Step step = emit(false);
  if (step == Step::stop) waiting_.clear();  // nobody asks for them any more
  const std::size_t keep = bytes_to_keep();
  if (recent_.end() > keep) keep_starts(recent_.end() - keep);
  recent_.close(keep);
  return step;
}

void Search::Machine::scan_windows(std::size_t block) {
  for (const auto& piece : windows_->next(recent_, block)) {
    scanned_to_ = piece.to;
    for (OpenStream& open : streams_) {
      if (piece.begins) {
        reset(open, nullptr);
        open.base = piece.from;
      }
      if (piece.from < piece.to) scan(open, recent_.view(piece.from, piece.to, scanned_));
      if (piece.ends) reset(open, note_of(open));
      open.took = false;
    }
  }
}

void Search::Machine::scan_literals(Bytes bytes) {
  const auto find = [this](Bytes part, std::uint64_t base) {
    compiled_.literals->find(part, [&](std::size_t at, std::size_t number) {
      const std::uint64_t begin = base + at;
      if (begin < behind_[number]) return;
      behind_[number] = begin + compiled_.widths[number];
      matches_.push_back({begin, behind_[number], number});
    });
  };
  const std::uint64_t block = recent_.end() - bytes.size();
  const std::uint64_t across = compiled_.literals->longest() - 1;
  if (recent_.first() < block) {
    const std::uint64_t from = std::max(recent_.first(), block - std::min(block, across));
    find(recent_.view(from, block + across, shown_), from);
  }
  find(bytes, block);
}

// First what began in the blocks before.
void Search::Machine::scan_literal(Bytes bytes) {
  const std::uint64_t block = recent_.end() - bytes.size();
  const std::uint64_t across = literal_->size() - 1;
  literal_->learn(bytes);
  if (recent_.first() < block && across > 0) {
    const std::uint64_t from = std::max({recent_.first(), behind_[0], block - std::min(block, across)});
    find_literal(recent_.view(from, block + across, shown_), from);
  }
  find_literal(bytes, block);
}

void Search::Machine::find_literal(Bytes bytes, std::uint64_t base) {
  std::uint64_t& behind = behind_[0];
  std::size_t at = behind > base ? static_cast<std::size_t>(behind - base) : 0;
  for (; (at = literal_->find(bytes, at)) != LiteralFinder::npos; at += literal_->size()) {
    behind = base + at + literal_->size();
    matches_.push_back({base + at, behind, 0});
  }
}

void Search::Machine::scan_stream(OpenStream& open, Bytes bytes) {
  const hs_error_t result =
      hs_scan_stream(open.state.get(), reinterpret_cast<const char*>(bytes.data()), static_cast<unsigned>(bytes.size()),
                     0, scratch_.get(), note_of(open), &open);
  guard_.check(result, "hs_scan_stream");
}

// With a callback for what ends at the end of the bytes; null: that is of no interest.
void Search::Machine::reset(OpenStream& open, match_event_handler note) {
  const hs_error_t result = hs_reset_stream(open.state.get(), 0, scratch_.get(), note, note ? &open : nullptr);
  guard_.check(result, "hs_reset_stream");
}

void Search::Machine::scan(OpenStream& open, Bytes bytes) {
  scan_stream(open, bytes);
  if (open.took) rescan(open, open.tracker->behind());
}

// Begins a stream anew at a position among the recent bytes; with it the byte before, where the pattern wants to know
// that one.
void Search::Machine::rescan(OpenStream& open, std::uint64_t from) {
  std::vector<std::byte> scratch;
  do {
    open.took = false;
    from = std::max(from, recent_.first());
    if (sees_neighbours(open) && from > recent_.first()) --from;
    reset(open, nullptr);
    open.base = from;
    const Bytes bytes = recent_.view(from, scanned_to_, scratch);
    if (bytes.empty()) return;
    scan_stream(open, bytes);
    if (windows_ && !windows_->is_open()) reset(open, note_of(open));
    from = open.tracker->behind();
  } while (open.took);
}

void Search::Machine::settle(bool last) {
  for (BoundedTracker& tracker : bounded_) tracker.settle(recent_, last, finder_, matches_);
  for (OpenStream& open : streams_) {
    if (!open.of->unbounded || open.of->lazy) continue;
    while (open.tracker->settle(recent_, last, finder_, matches_)) {
      open.tracker->restart();
      rescan(open, open.tracker->behind());
    }
  }
  if (matches_.empty()) return;
  const auto order = [](const MatchSpan& a, const MatchSpan& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.pattern < b.pattern;
  };
  std::ranges::sort(matches_, order);
  const auto middle = static_cast<std::ptrdiff_t>(waiting_.size());
  waiting_.insert(waiting_.end(), matches_.begin(), matches_.end());
  if (middle > 0) std::inplace_merge(waiting_.begin(), waiting_.begin() + middle, waiting_.end(), order);
  matches_.clear();
}

// Where the next match to come may begin.
std::uint64_t Search::Machine::earliest() const {
  const std::uint64_t now = recent_.end();
  std::uint64_t first = now > compiled_.widest ? now - compiled_.widest : 0;
  for (const BoundedTracker& tracker : bounded_) first = std::min(first, tracker.earliest(now));
  for (const OpenStream& open : streams_)
    if (open.tracker && !open.tracker->candidates().empty())
      first = std::min(first, open.tracker->candidates().front().begin);
  return first;
}

std::uint64_t Search::Machine::reported_to() const {
  const std::uint64_t first = waiting_.empty() ? earliest() : std::min(earliest(), waiting_.front().begin);
  return address_ + (std::max(first, recent_.start()) - recent_.start());
}

Step Search::Machine::emit(bool last) {
  if (waiting_.empty()) return Step::go;
  const std::uint64_t limit = last ? ~std::uint64_t{0} : earliest();
  while (!waiting_.empty()) {
    const MatchSpan match = waiting_.front();
    const bool in_order = match.begin < limit || waiting_.size() > max_waiting;
    if (!last && (!in_order || match.end + context_ > recent_.end())) break;
    waiting_.pop_front();
    if (show(match) == Step::stop) return Step::stop;
  }
  return Step::go;
}

Step Search::Machine::show(const MatchSpan& match) {
  const std::uint64_t start = recent_.start();
  Match found{.address = address_ + (match.begin - start),
              .length = match.end - match.begin,
              .pattern = match.pattern,
              .before = {},
              .match = {},
              .after = {}};
  const auto kept = starts_.find({match.begin, match.pattern});
  if (kept != starts_.end()) {
    found.before = kept->second.before;
    const Bytes bytes = kept->second.match;
    found.match = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), found.length)));
  } else if (match.begin >= recent_.first()) {
    found.before = recent_.view(std::max(start, match.begin - std::min(match.begin, context_)), match.begin, before_);
    found.match = recent_.view(match.begin, std::min(match.end, match.begin + max_shown), shown_);
  }
  found.after = recent_.view(match.end, match.end + context_, after_);
  const Step step = on_match_(found);
  if (kept != starts_.end()) starts_.erase(kept);
  return step;
}

// Before bytes go away: the beginnings of matches that are not out yet.
void Search::Machine::keep_starts(std::uint64_t first) {
  for (const MatchSpan& match : waiting_) {
    if (match.begin >= first + context_) break;
    keep_start(match, first);
  }
  for (const OpenStream& open : streams_) {
    if (!open.tracker) continue;
    for (const auto& candidate : open.tracker->candidates()) {
      if (candidate.begin >= first + context_) break;
      keep_start({candidate.begin, candidate.begin + max_shown, open.of->pattern}, first);  // it may grow
    }
  }
  std::erase_if(starts_, [&](const auto& row) {
    return row.first.first < earliest() && (waiting_.empty() || row.first.first < waiting_.front().begin);
  });
}

void Search::Machine::keep_start(const MatchSpan& match, std::uint64_t first) {
  if (match.begin < recent_.first() || match.begin >= first + context_) return;
  const auto [row, is_new] = starts_.try_emplace({match.begin, match.pattern});
  if (!is_new) return;
  const std::uint64_t from =
      std::max({recent_.start(), recent_.first(), match.begin - std::min(match.begin, context_)});
  const Bytes bytes = recent_.view(from, std::min(match.end, match.begin + max_shown), shown_);
  MatchStart& start = row->second;
  start.bytes.assign(bytes.begin(), bytes.end());
  start.before = Bytes{start.bytes}.first(static_cast<std::size_t>(match.begin - from));
  start.match = Bytes{start.bytes}.subspan(start.before.size());
}

std::size_t Search::Machine::bytes_to_keep() const {
  std::size_t keep = static_cast<std::size_t>(compiled_.widest);
  if (!bounded_.empty()) keep = 2 * keep + 4;
  if (compiled_.nr_unbounded > 0) keep = std::max(keep, 2 * max_lookahead);
  if (compiled_.needed) keep += static_cast<std::size_t>(compiled_.needed->texts.before) + compiled_.needed->longest;
  return keep + 2 * context_ + 2;
}

Step Search::Machine::end() {
  if (!open_) return Step::go;
  open_ = false;
  return guarded([this] { finish(); });
}

void Search::Machine::finish() {
  if (!windows_ || windows_->is_open())
    for (OpenStream& open : streams_) reset(open, note_of(open));
  for (OpenStream& open : streams_) open.took = false;
  settle(true);
  if (!stopped_ && emit(true) == Step::stop) stopped_ = true;
  waiting_.clear();
  starts_.clear();
  for (OpenStream& open : streams_)
    if (open.tracker) open.tracker->restart();
}

Search::Search(const Patterns& patterns, std::size_t context, OnMatch on_match)
    : machine_{std::make_unique<Machine>(patterns.compiled(), context, std::move(on_match))} {}
Search::~Search() = default;

void Search::begin(std::uint64_t address) { machine_->begin(address); }
Step Search::feed(Bytes bytes) { return machine_->feed(bytes); }
Step Search::end() { return machine_->end(); }
std::optional<std::size_t> Search::reach_into_zeros() const { return machine_->reach_into_zeros(); }
std::uint64_t Search::reported_to() const { return machine_->reported_to(); }
const Error& Search::error() const { return machine_->error(); }

}  // namespace critpipe
