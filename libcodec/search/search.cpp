// The search: blocks through the engine, its reports to trackers, their matches out in order.
#include <algorithm>
#include <map>
#include <optional>

#include "search/literal_finder.hpp"
#include "search/match_trackers.hpp"

namespace critpipe {

using namespace search;

namespace {

constexpr std::size_t slice_bytes = 1 << 20;
constexpr std::size_t max_waiting = 1 << 16;  // matches that wait for one that begins before them

}  // namespace

class Search::Machine {
 public:
  Machine(const Patterns::Compiled& compiled, std::size_t context, Report report);
  ~Machine();

  void begin(std::uint64_t address);
  Step feed(Bytes bytes);
  Step end();
  const Error& error() const { return error_; }

 private:
  struct Live {
    Machine* machine = nullptr;
    const Stream* of = nullptr;
    hs_stream_t* stream = nullptr;
    std::uint64_t base = 0;  // position of the stream's first byte
    std::unique_ptr<UnboundedTracker> tracker = {};
    bool took = false;  // a lazy pattern's match ended the scan
  };

  static int note_shared(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void* live);
  static int note_unbounded(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void* live);
  static int note_lazy(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void* live);
  static match_event_handler note_of(const Live& live);
  bool sees_neighbours(const Live& live) const { return compiled_.patterns[live.of->pattern].traits.sees_neighbours; }

  template <typename Work>
  Step guarded(Work work);
  void finish();
  void scan_stream(Live& live, Bytes bytes);
  void reset(Live& live, match_event_handler note);
  Step slice(Bytes bytes);
  void scan(Live& live, Bytes bytes);
  void scan_literal(Bytes bytes);
  void find_literal(Bytes bytes, std::uint64_t base);
  void rescan(Live& live, std::uint64_t from);
  void settle(bool last);
  Step emit(bool last);
  Step show(const Match& match);
  void keep_heads(std::uint64_t first);
  void keep_head(const Match& match, std::uint64_t first);
  std::uint64_t earliest() const;
  std::size_t bytes_to_keep() const;

  const Patterns::Compiled& compiled_;
  const std::size_t context_;
  Report report_;
  EngineGuard guard_;
  Error error_;
  Scratch scratch_;
  Looker looker_;
  Window window_;
  std::uint64_t address_ = 0;  // of the stretch
  bool open_ = false;
  bool stopped_ = false;
  std::optional<LiteralFinder> literal_;  // in place of streams
  std::vector<Live> live_;
  std::vector<std::uint64_t> behind_;  // of fixed patterns
  std::vector<BoundedTracker> bounded_;
  std::vector<std::size_t> place_of_;  // pattern -> bounded tracker
  std::vector<Match> matches_;         // of this slice
  std::deque<Match> waiting_;          // for the bytes behind them, and for earlier ones
  struct Head {
    Bytes before, match;
    std::vector<std::byte> bytes;
  };
  std::map<std::pair<std::uint64_t, std::size_t>, Head> heads_;  // of matches that began long ago
  std::vector<std::byte> before_, shown_, after_;
};

namespace {

hs_scratch_t* copy_of(const hs_scratch_t* scratch) {
  hs_scratch_t* copy = nullptr;
  return hs_clone_scratch(scratch, &copy) == HS_SUCCESS ? copy : throw std::bad_alloc{};
}

}  // namespace

Search::Machine::Machine(const Patterns::Compiled& compiled, std::size_t context, Report report)
    : compiled_{compiled},
      context_{std::min(context, max_context)},
      report_{std::move(report)},
      scratch_{compiled.scratch ? copy_of(compiled.scratch.get()) : nullptr},
      looker_{compiled, scratch_.get()},
      behind_(compiled.patterns.size()),
      place_of_(compiled.patterns.size()) {
  if (compiled.is_one_literal()) literal_.emplace(compiled.patterns.front().bytes);
  for (std::size_t i = 0; i < compiled.patterns.size(); ++i) {
    if (compiled.patterns[i].kind != Pattern::Kind::bounded) continue;
    place_of_[i] = bounded_.size();
    bounded_.emplace_back(compiled, i);
  }
  for (const Stream& stream : compiled.streams) {
    Live& live = live_.emplace_back();
    live.machine = this;
    live.of = &stream;
    if (stream.unbounded) live.tracker = std::make_unique<UnboundedTracker>(compiled, stream.pattern);
    if (hs_open_stream(stream.database.get(), 0, &live.stream) != HS_SUCCESS) throw std::bad_alloc{};
  }
}

Search::Machine::~Machine() {
  // Without a callback nothing is scanned, and a stream that is open closes.
  for (const Live& live : live_) (void)hs_close_stream(live.stream, nullptr, nullptr, nullptr);
}

int Search::Machine::note_shared(unsigned id, unsigned long long, unsigned long long to, unsigned, void* context) {
  const Live& live = *static_cast<Live*>(context);
  Machine& machine = *live.machine;
  return machine.guard_.call([&] {
    const std::uint64_t end = live.base + to;
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
  Live& live = *static_cast<Live*>(context);
  return live.machine->guard_.call([&] {
    live.tracker->note(live.base + from, live.base + to);
    return 0;
  });
}

// The first end is the one; the scan starts anew behind it.
int Search::Machine::note_lazy(unsigned, unsigned long long from, unsigned long long to, unsigned, void* context) {
  Live& live = *static_cast<Live*>(context);
  if (live.base + from < live.tracker->behind()) return 0;
  return live.machine->guard_.call([&] {
    live.machine->matches_.push_back(live.tracker->take(live.base + from, live.base + to));
    live.took = true;
    return 1;
  });
}

match_event_handler Search::Machine::note_of(const Live& live) {
  return !live.of->unbounded ? note_shared : live.of->lazy ? note_lazy : note_unbounded;
}

void Search::Machine::begin(std::uint64_t address) {
  if (open_) (void)end();
  open_ = true;
  address_ = address;
  const std::uint64_t start = window_.begin();
  for (Live& live : live_) live.base = start;
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
  window_.open(bytes);
  if (literal_) scan_literal(bytes);
  for (Live& live : live_) scan(live, bytes);
  settle(false);
  const Step step = emit(false);
  const std::size_t keep = bytes_to_keep();
  if (window_.end() > keep) keep_heads(window_.end() - keep);
  window_.close(keep);
  return step;
}

// First what began in the blocks before.
void Search::Machine::scan_literal(Bytes bytes) {
  const std::uint64_t block = window_.end() - bytes.size();
  const std::uint64_t across = literal_->size() - 1;
  literal_->learn(bytes);
  if (window_.first() < block && across > 0) {
    const std::uint64_t from = std::max({window_.first(), behind_[0], block - std::min(block, across)});
    find_literal(window_.view(from, block + across, shown_), from);
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

void Search::Machine::scan_stream(Live& live, Bytes bytes) {
  const hs_error_t result =
      hs_scan_stream(live.stream, reinterpret_cast<const char*>(bytes.data()), static_cast<unsigned>(bytes.size()), 0,
                     scratch_.get(), note_of(live), &live);
  guard_.check(result, "hs_scan_stream");
}

// With a callback for what ends at the end of the bytes; null: that is of no interest.
void Search::Machine::reset(Live& live, match_event_handler note) {
  const hs_error_t result = hs_reset_stream(live.stream, 0, scratch_.get(), note, note ? &live : nullptr);
  guard_.check(result, "hs_reset_stream");
}

void Search::Machine::scan(Live& live, Bytes bytes) {
  scan_stream(live, bytes);
  if (live.took) rescan(live, live.tracker->behind());
}

// Begins a stream anew at a place in the window. With it the byte before, where the pattern wants to know that one.
void Search::Machine::rescan(Live& live, std::uint64_t from) {
  std::vector<std::byte> scratch;
  do {
    live.took = false;
    from = std::max(from, window_.first());
    if (sees_neighbours(live) && from > window_.first()) --from;
    reset(live, nullptr);
    live.base = from;
    const Bytes bytes = window_.view(from, window_.end(), scratch);
    if (bytes.empty()) return;
    scan_stream(live, bytes);
    from = live.tracker->behind();
  } while (live.took);
}

void Search::Machine::settle(bool last) {
  for (BoundedTracker& tracker : bounded_) tracker.settle(window_, last, looker_, matches_);
  for (Live& live : live_) {
    if (!live.of->unbounded || live.of->lazy) continue;
    while (live.tracker->settle(window_, last, looker_, matches_)) {
      live.tracker->restart();
      rescan(live, live.tracker->behind());
    }
  }
  if (matches_.empty()) return;
  const auto order = [](const Match& a, const Match& b) {
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
  const std::uint64_t now = window_.end();
  std::uint64_t first = now > compiled_.widest ? now - compiled_.widest : 0;
  for (const BoundedTracker& tracker : bounded_) first = std::min(first, tracker.earliest(now));
  for (const Live& live : live_)
    if (live.tracker && !live.tracker->candidates().empty())
      first = std::min(first, live.tracker->candidates().front().begin);
  return first;
}

Step Search::Machine::emit(bool last) {
  if (waiting_.empty()) return Step::go;
  const std::uint64_t limit = last ? ~std::uint64_t{0} : earliest();
  while (!waiting_.empty()) {
    const Match match = waiting_.front();
    const bool in_order = match.begin < limit || waiting_.size() > max_waiting;
    if (!last && (!in_order || match.end + context_ > window_.end())) break;
    waiting_.pop_front();
    if (show(match) == Step::stop) return Step::stop;
  }
  return Step::go;
}

Step Search::Machine::show(const Match& match) {
  const std::uint64_t start = window_.start();
  Found found{address_ + (match.begin - start), match.end - match.begin, match.pattern, {}, {}, {}};
  const auto head = heads_.find({match.begin, match.pattern});
  if (head != heads_.end()) {
    found.before = head->second.before;
    const Bytes kept = head->second.match;
    found.match = kept.first(static_cast<std::size_t>(std::min<std::uint64_t>(kept.size(), found.length)));
  } else if (match.begin >= window_.first()) {
    found.before = window_.view(std::max(start, match.begin - std::min(match.begin, context_)), match.begin, before_);
    found.match = window_.view(match.begin, std::min(match.end, match.begin + max_shown), shown_);
  }
  found.after = window_.view(match.end, match.end + context_, after_);
  const Step step = report_(found);
  if (head != heads_.end()) heads_.erase(head);
  return step;
}

// Before bytes go away: the beginnings of matches that are not out yet.
void Search::Machine::keep_heads(std::uint64_t first) {
  for (const Match& match : waiting_) {
    if (match.begin >= first + context_) break;
    keep_head(match, first);
  }
  for (const Live& live : live_) {
    if (!live.tracker) continue;
    for (const auto& candidate : live.tracker->candidates()) {
      if (candidate.begin >= first + context_) break;
      keep_head({candidate.begin, candidate.end, live.of->pattern}, first);
    }
  }
  std::erase_if(heads_, [&](const auto& row) {
    return row.first.first < earliest() && (waiting_.empty() || row.first.first < waiting_.front().begin);
  });
}

void Search::Machine::keep_head(const Match& match, std::uint64_t first) {
  if (match.begin < window_.first() || match.begin >= first + context_) return;
  const auto [row, is_new] = heads_.try_emplace({match.begin, match.pattern});
  if (!is_new) return;
  const std::uint64_t from =
      std::max({window_.start(), window_.first(), match.begin - std::min(match.begin, context_)});
  const Bytes bytes = window_.view(from, match.begin + max_shown, shown_);  // it may still grow
  Head& head = row->second;
  head.bytes.assign(bytes.begin(), bytes.end());
  head.before = Bytes{head.bytes}.first(static_cast<std::size_t>(match.begin - from));
  head.match = Bytes{head.bytes}.subspan(head.before.size());
}

std::size_t Search::Machine::bytes_to_keep() const {
  std::size_t keep = static_cast<std::size_t>(compiled_.widest);
  if (!bounded_.empty()) keep = 2 * keep + 4;
  if (compiled_.nr_unbounded > 0) keep = std::max(keep, 2 * max_lookahead);
  return keep + 2 * context_ + 2;
}

Step Search::Machine::end() {
  if (!open_) return Step::go;
  open_ = false;
  return guarded([this] { finish(); });
}

void Search::Machine::finish() {
  for (Live& live : live_) reset(live, note_of(live));
  for (Live& live : live_) live.took = false;
  settle(true);
  if (!stopped_ && emit(true) == Step::stop) stopped_ = true;
  waiting_.clear();
  heads_.clear();
  for (Live& live : live_)
    if (live.tracker) live.tracker->restart();
}

Search::Search(const Patterns& patterns, std::size_t context, Report report)
    : machine_{std::make_unique<Machine>(*patterns.compiled_, context, std::move(report))} {}
Search::~Search() = default;

void Search::begin(std::uint64_t address) { machine_->begin(address); }
Step Search::feed(Bytes bytes) { return machine_->feed(bytes); }
Step Search::end() { return machine_->end(); }
const Error& Search::error() const { return machine_->error(); }

}  // namespace critpipe
