// Entries that match, handed on.
#include "critpipe/match.hpp"

namespace critpipe {

namespace {

// What has to wait: a head until something matches, an entry until its extra is known.
struct Held {
  struct Copy {
    Entry entry{};
    std::vector<std::byte> payload = {};
    bool full = false;

    void keep(const Entry& from) {
      payload.assign(from.payload.begin(), from.payload.end());
      entry = from;
      entry.payload = payload;
      full = true;
    }
  };
  Image image = {};
  Copy head = {};
  Copy entry = {};
  std::vector<ExtraPart> parts = {};  // empty ones before the first that has bytes
};

}  // namespace

class Select::Work final : public Sink {
 public:
  Work(Expression& expression, const SelectOptions& options, std::unique_ptr<Sink> to, std::uint64_t& total)
      : expression_{expression}, options_{options}, to_{std::move(to)}, total_{total} {}
  Step begin(const Image& image) override;
  Step entry(const Entry& entry) override;
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) override;
  Step part(const ExtraPart& part) override;
  Step bytes(Bytes bytes) override;
  Step padding(Bytes bytes) override;
  Step close() override;
  Step end() override;
  void fail(const Error& error) override;
  Step begin_selected();

 private:
  enum class State : std::uint8_t { idle, waiting, selected };
  Step hand_on(const Entry& entry);
  void keep_head(const Entry& entry);
  Step settle(bool filled);
  Step begin_to();

  Expression& expression_;
  SelectOptions options_;
  std::unique_ptr<Sink> to_;
  std::uint64_t& total_;
  std::unique_ptr<ImageMatcher> matching_;
  Held held_;
  State state_ = State::idle;
  bool cannot_match_ = false;  // no entry of this image can match
  bool waits_ = false;         // for the extra
  bool begun_ = false;
};

Select::Select(Expression& expression, const SelectOptions& options, std::unique_ptr<Sink> to, std::uint64_t& total)
    : Stage{nullptr}, work_{std::make_unique<Work>(expression, options, std::move(to), total)} {
  hand_to(work_.get());
}
Select::~Select() = default;
Step Select::begin_selected() { return work_->begin_selected(); }

Step Select::Work::begin_to() {
  if (begun_) return Step::go;
  begun_ = true;
  return to_->begin(held_.image);
}

Step Select::Work::begin(const Image& image) {
  held_.image = image;
  cannot_match_ = image.is_raw();
  if (!cannot_match_) {
    matching_ = std::make_unique<ImageMatcher>(expression_, image);
    cannot_match_ = !matching_->can(!options_.invert);
    waits_ = matching_->asks_for_extra();
  }
  return options_.always_begin ? begin_to() : Step::go;
}

Step Select::Work::entry(const Entry& entry) {
  if (cannot_match_) return Step::go;
  const bool answer = matching_->look(entry);
  if (waits_) [[unlikely]] {
    held_.entry.keep(entry);
    held_.parts.clear();
    state_ = State::waiting;
    return Step::go;
  }
  if (answer != options_.invert) return hand_on(entry);
  if (entry.index == 0) keep_head(entry);
  return Step::go;
}

Sink::Taken Select::Work::many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) {
  Taken taken;
  if (cannot_match_) return taken;
  const Kind& kind = *held_.image.kind;
  while (taken.step == Step::go) {
    const ImageMatcher::Skipped others = matching_->skip_others(unchecked.subspan(taken.bytes), !options_.invert);
    taken.bytes += others.bytes;
    taken.entries += others.entries;
    if (others.wanted.empty()) break;
    const Entry entry{index + taken.entries, offset + taken.bytes, kind.later, others.wanted, true, &kind};
    taken.bytes += 4 + others.wanted.size();
    ++taken.entries;
    taken.step = hand_on(entry) == Step::stop ? Step::stop : close();
  }
  return taken;
}

void Select::Work::keep_head(const Entry& entry) {
  if (options_.keep_head && entry.kind->first != entry.kind->later) held_.head.keep(entry);
}

Step Select::Work::begin_selected() {
  if (begin_to() == Step::stop) return Step::stop;
  if (!held_.head.full) return Step::go;
  held_.head.full = false;
  return to_->entry(held_.head.entry) == Step::stop ? Step::stop : to_->close();
}

Step Select::Work::hand_on(const Entry& entry) {
  state_ = State::selected;
  return begin_selected() == Step::stop ? Step::stop : to_->entry(entry);
}

// The extra is there, or is known to be missing: now the entry that waits can be judged.
Step Select::Work::settle(bool filled) {
  const bool there = filled || !held_.parts.empty() || held_.image.kind->extra.nested;
  const Entry& entry = held_.entry.entry;
  state_ = State::idle;
  if (matching_->look_at_extra(there, filled) == options_.invert) {
    if (entry.index == 0) keep_head(entry);
    return Step::go;
  }
  if (hand_on(entry) == Step::stop) return Step::stop;
  for (const ExtraPart& part : held_.parts)
    if (to_->part(part) == Step::stop) return Step::stop;
  return Step::go;
}

Step Select::Work::part(const ExtraPart& part) {
  if (state_ == State::waiting) {
    if (!part.message && (part.size == 0 || part.size == ExtraPart::unknown)) {
      held_.parts.push_back(part);
      return Step::go;
    }
    if (settle(true) == Step::stop) return Step::stop;
  }
  return state_ == State::selected ? to_->part(part) : Step::go;
}

Step Select::Work::bytes(Bytes bytes) {
  if (state_ == State::waiting && settle(true) == Step::stop) return Step::stop;
  return state_ == State::selected ? to_->bytes(bytes) : Step::go;
}

Step Select::Work::padding(Bytes bytes) { return state_ == State::selected ? to_->padding(bytes) : Step::go; }

Step Select::Work::close() {
  if (state_ == State::waiting && settle(false) == Step::stop) return Step::stop;
  if (state_ != State::selected) return Step::go;
  state_ = State::idle;
  if (to_->close() == Step::stop) return Step::stop;
  if (++total_ < options_.most) return Step::go;
  (void)to_->end();
  begun_ = false;
  return Step::stop;
}

Step Select::Work::end() { return begun_ ? to_->end() : Step::go; }

// Where no entry is on its way, what was handed on is complete.
void Select::Work::fail(const Error& error) {
  if (state_ == State::selected) to_->fail(error);
  else (void)end();
}

}  // namespace critpipe
