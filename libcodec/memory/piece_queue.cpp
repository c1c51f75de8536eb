// Pieces of pages images that come in an order of their own, put in order.
#include <algorithm>
#include <set>

#include "memory/checkpoint_memory.hpp"
#include "pages/page_content.hpp"

namespace critpipe {

namespace {

using Piece = MemoryWork::Piece;

// A part of the content of an image, ascending: its bytes, or why they are lost.
struct Come {
  std::uint64_t begin, end;
  Bytes bytes = {};
  const Error* lost = nullptr;
};

// What is next in line is handed on at once. What is for later waits, as long as there is room: what is furthest ahead
// makes room for what is nearer, and is taken when it comes again.
class PieceQueue {
 public:
  // `lost`: as in MemoryWork::deliver().
  PieceQueue(MemoryWork& work, const std::vector<Piece>& pieces, const MemoryWork::TakePiece& take,
             const MemoryWork::OnError& lost);

  bool wants(const MemorySet& set, std::uint64_t pages_id) const { return images_.contains({&set, pages_id}); }
  bool wants(const MemorySet& set) const {
    const auto next = images_.lower_bound({&set, 0});
    return next != images_.end() && next->first.first == &set;
  }
  Step feed(const MemorySet& set, std::uint64_t pages_id, const Come& come);
  // Hands on what waits and is next in line now, up to the first piece that has not come.
  Step advance();
  bool is_complete() const { return next_ == pieces_.size(); }
  Error error() const { return error_; }
  void fail(const Error& error) { is_over_ = is_over_ || lose(error) == Step::stop; }
  bool is_over() const { return is_over_; }
  const Piece& next() const { return pieces_[next_]; }
  // Before the images come again. False: there is no need, as all of them came, or no use, as nothing new would.
  bool begin_again();
  // The same, where it may go on behind what is lost: passes over pieces that no image has.
  bool pass_over_missing(Step& step);

 private:
  struct Wanted {
    std::vector<std::size_t> pieces;  // by where they begin
    std::size_t first = 0;            // those before it have gone by
  };
  struct Gap {  // of a piece
    std::uint64_t begin, end;
  };
  struct Progress {
    std::uint64_t done = 0;               // bytes that have come, or are lost
    std::vector<std::byte> waiting = {};  // of a piece that is not next
    std::vector<Gap> gaps = {};           // the same
    Error lost = {};                      // why there are any
    bool lacked_room = false;
  };
  std::uint64_t begin_of(const Piece& piece) const {
    return content_position(piece.stretch.page, piece.set->page_size, piece.skip);
  }
  Step feed_piece(std::size_t number, const Come& come);
  Step hand_on_waiting();
  Step lose(const Error& error);
  void rewind();
  bool make_room(std::size_t number, std::uint64_t size);

  MemoryWork& work_;
  const std::vector<Piece>& pieces_;
  const MemoryWork::TakePiece& take_;
  const MemoryWork::OnError& lost_;
  std::vector<Progress> progress_;
  std::map<std::pair<const MemorySet*, std::uint64_t>, Wanted> images_;
  std::size_t next_ = 0;
  std::uint64_t waiting_bytes_ = 0;
  std::set<std::size_t> waiting_;  // pieces that do
  bool no_room_ = false;           // for something that came
  bool is_over_ = false;           // nothing more is taken
  std::pair<std::size_t, std::uint64_t> begun_at_ = {};
  Error error_;
};

PieceQueue::PieceQueue(MemoryWork& work, const std::vector<Piece>& pieces, const MemoryWork::TakePiece& take,
                       const MemoryWork::OnError& lost)
    : work_{work}, pieces_{pieces}, take_{take}, lost_{lost}, progress_(pieces.size()) {
  for (std::size_t i = 0; i < pieces.size(); ++i)
    if (pieces[i].is_streamed()) images_[{pieces[i].stream, pieces[i].stretch.pages_id}].pieces.push_back(i);
  for (auto& [image, wanted] : images_)
    std::ranges::stable_sort(wanted.pieces, {}, [this](std::size_t i) { return begin_of(pieces_[i]); });
}

Step PieceQueue::feed(const MemorySet& set, std::uint64_t pages_id, const Come& come) {
  const auto image = images_.find({&set, pages_id});
  if (is_over_ || image == images_.end()) return is_over_ ? Step::stop : Step::go;
  Wanted& wanted = image->second;
  for (std::size_t i = wanted.first; i < wanted.pieces.size(); ++i) {
    const std::size_t number = wanted.pieces[i];
    if (begin_of(pieces_[number]) >= come.end) break;
    is_over_ = feed_piece(number, come) == Step::stop;
    if (is_over_) return Step::stop;
  }
  const auto is_past = [&](std::size_t number) { return begin_of(pieces_[number]) + pieces_[number].size <= come.end; };
  while (wanted.first < wanted.pieces.size() && is_past(wanted.pieces[wanted.first])) ++wanted.first;
  return Step::go;
}

Step PieceQueue::feed_piece(std::size_t number, const Come& come) {
  const Piece& piece = pieces_[number];
  Progress& progress = progress_[number];
  const std::uint64_t at = begin_of(piece) + progress.done;
  if (progress.done == piece.size || at < come.begin || at >= come.end) return Step::go;
  const std::uint64_t size = std::min(piece.size - progress.done, come.end - at);
  const Bytes here = come.lost ? Bytes{} : come.bytes.subspan(at - come.begin, size);
  const std::uint64_t before = progress.done;
  if (number != next_ && !make_room(number, here.size())) {
    no_room_ = progress.lacked_room = true;
    return Step::go;
  }
  progress.done += size;
  if (number == next_) {
    const Step step = come.lost ? lose(*come.lost) : take_(piece, before, here);
    return step == Step::stop ? Step::stop : advance();
  }
  if (come.lost) {
    if (!progress.gaps.empty() && progress.gaps.back().end == before) progress.gaps.back().end += size;
    else progress.gaps.push_back({before, before + size});
    if (!progress.lost) progress.lost = *come.lost;
    return Step::go;
  }
  waiting_bytes_ += here.size();
  waiting_.insert(number);
  progress.waiting.insert(progress.waiting.end(), here.begin(), here.end());
  return Step::go;
}

Step PieceQueue::lose(const Error& error) {
  if (lost_) lost_(error);
  else error_ = error;
  return lost_ ? Step::go : Step::stop;
}

// Of the piece that is next.
Step PieceQueue::hand_on_waiting() {
  Progress& progress = progress_[next_];
  const std::vector<std::byte> waiting = std::exchange(progress.waiting, {});
  const std::vector<Gap> gaps = std::exchange(progress.gaps, {});
  waiting_bytes_ -= waiting.size();
  waiting_.erase(next_);
  Bytes rest{waiting};
  std::uint64_t at = 0;
  const auto take = [&](std::uint64_t size) {
    const Bytes here = rest.first(size);
    rest = rest.subspan(size);
    return size == 0 ? Step::go : take_(pieces_[next_], std::exchange(at, at + size), here);
  };
  for (const Gap& gap : gaps) {
    if (take(gap.begin - at) == Step::stop || lose(progress.lost) == Step::stop) return Step::stop;
    at = gap.end;
  }
  return take(rest.size());
}

bool PieceQueue::make_room(std::size_t number, std::uint64_t size) {
  const std::uint64_t most = work_.options.held_bytes;
  while (waiting_bytes_ + size > most && !waiting_.empty() && *waiting_.rbegin() > number) {
    Progress& furthest = progress_[*waiting_.rbegin()];
    waiting_bytes_ -= furthest.waiting.size();
    furthest = {.lacked_room = true};
    waiting_.erase(std::prev(waiting_.end()));
    no_room_ = true;
  }
  return waiting_bytes_ + size <= most;
}

void PieceQueue::rewind() {
  for (auto& [image, wanted] : images_) wanted.first = 0;
  for (Progress& progress : progress_) progress.lacked_room = false;
  no_room_ = false;
}

bool PieceQueue::begin_again() {
  if (is_complete() || !no_room_) return false;
  const std::pair<std::size_t, std::uint64_t> at{next_, progress_[next_].done};
  if (std::exchange(begun_at_, at) == at) return false;
  rewind();
  return true;
}

bool PieceQueue::pass_over_missing(Step& step) {
  while (lost_ && step == Step::go && !is_complete() && !progress_[next_].lacked_room) {
    lost_(work_.missing(pieces_[next_++]));
    step = advance();
  }
  if (!lost_ || step == Step::stop || is_complete()) return false;
  rewind();
  return true;
}

Step PieceQueue::advance() {
  for (; next_ < pieces_.size(); ++next_) {
    const Piece& piece = pieces_[next_];
    Step step = Step::go;
    if (!piece.is_streamed()) {
      error_ = work_.by_position(piece, take_, step, lost_);
      if (error_ || step == Step::stop) return Step::stop;
      continue;
    }
    if (hand_on_waiting() == Step::stop) return Step::stop;
    if (progress_[next_].done < piece.size) return Step::go;
  }
  return Step::go;
}

// Feeds the pages of one image.
class FeedPages final : public PagesSink {
 public:
  FeedPages(PieceQueue& queue, MemorySet& set, std::uint64_t pages_id)
      : queue_{queue}, set_{set}, image_{set.images[pages_id]}, pages_id_{pages_id} {
    image_.seen_bytes = image_.came_bytes = 0;
  }
  Step pass_over(std::uint64_t) override { return Step::stop; }

 protected:
  void refused(const Error& error) override {
    Error placed = error;
    placed.image = image_.place;
    (void)feed({image_.seen_bytes, image_.seen_bytes + error.want, {}, &placed});
  }
  Step pages(std::uint64_t first, Bytes bytes) override {
    const std::uint64_t begin = content_position(first, smallest_page);
    return feed({begin, begin + bytes.size(), bytes});
  }
  Step done(std::uint64_t) override {
    image_.came_bytes = stored_bytes();
    return Step::go;
  }
  void fail(const Error&) override {
    image_.came_bytes = stored_bytes();
    (void)cut_page();
  }

 private:
  Step feed(const Come& come) {
    image_.seen_bytes = come.end;
    return queue_.feed(set_, pages_id_, come);
  }

  PieceQueue& queue_;
  MemorySet& set_;
  MemorySet::Streamed& image_;
  std::uint64_t pages_id_;
};

// The inputs once more, for the pages that are wanted.
class ReadPages final : public Decoding {
 public:
  ReadPages(MemoryWork& work, const MemoryWork::Source& source, PieceQueue& queue)
      : Decoding{work.options.limits}, work_{work}, source_{source}, queue_{queue} {}

  bool wants(const Member& member) override {
    return pages_id_of_name(member.name) && (!work_.options.wanted || work_.options.wanted(member.path));
  }
  bool reads_raw() const override { return false; }
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override {
    if (work_.note(error)) work_.report(error);
  }

 private:
  MemoryWork& work_;
  const MemoryWork::Source& source_;
  PieceQueue& queue_;
};

std::unique_ptr<Sink> ReadPages::sink_for(const Member& member) {
  const auto pages_id = member.is_image ? pages_id_of_name(member.name) : std::nullopt;
  MemorySet* const set = source_.sets.find(*member.set);
  if (!pages_id || !set || !queue_.wants(*set, *pages_id)) return nullptr;
  auto sink = std::make_unique<FeedPages>(queue_, *set, *pages_id);
  Error error;
  sink->stored_as(set->blocks_of(*pages_id, set->page_size, error));
  if (error) {
    queue_.fail(error);
    return nullptr;
  }
  return sink;
}

Step read_pages(MemoryWork& work, PieceQueue& queue, Step step) {
  for (const MemoryWork::Source& source : work.sources) {
    const auto is_wanted = [&](const auto& set) { return queue.wants(*set); };
    if (step == Step::stop || queue.is_complete() || std::ranges::none_of(source.sets.all(), is_wanted)) continue;
    ReadPages reading{work, source, queue};
    step = read_inputs(source.inputs, reading, work.options_of(source));
    if (queue.is_over()) step = Step::stop;
  }
  return step;
}

}  // namespace

// Its image ended before it, or never came.
Error MemoryWork::missing(const Piece& piece) const {
  if (over_limit) return {Reason::limit_held, "", Error::nowhere, Error::nowhere, options.held_bytes};
  const auto image = piece.stream->images.find(piece.stretch.pages_id);
  if (image == piece.stream->images.end())
    return {Reason::missing_image, piece.stream->place + pages_name(piece.stretch.pages_id)};
  Error error;
  const auto blocks = piece.stream->blocks_of(piece.stretch.pages_id, piece.set->page_size, error);
  if (error) return error;
  return cut_content(blocks.get(), image->second.place, image->second.seen_bytes, image->second.came_bytes,
                     content_position(piece.stretch.page, piece.set->page_size, piece.skip), piece.size);
}

Error MemoryWork::deliver(const std::vector<Piece>& pieces, const TakePiece& take, const OnError& lost) {
  PieceQueue queue{*this, pieces, take, lost};
  Step step = queue.advance();
  do {
    if (!from_pipe) step = read_pages(*this, queue, step);
  } while (step == Step::go && (queue.begin_again() || queue.pass_over_missing(step)));
  if (queue.error()) return queue.error();
  if (step == Step::stop || queue.is_complete()) return {};
  return missing(queue.next());
}

}  // namespace critpipe
