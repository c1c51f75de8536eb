#include "cli/turns.hpp"

#include <algorithm>
#include <utility>

namespace critpipe::filters {

bool TurnOutput::drain(const char* bytes, std::size_t size) {
  size_ += size;
  return turns_.write(*this, bytes, size);
}

void TurnOutput::report(const Error& error) {
  if (flush() == Step::go) turns_.report(*this, error);
}

void TurnOutput::clear() {
  drop_waiting();
  held_.clear();
  errors_.clear();
  done_ = stops_ = dropped_ = is_chunk_ = false;
  size_ = 0;
  image_ = goes_to_ = nullptr;
  failed_.reset();
  selected_.clear();
}

TurnOutput& TurnQueue::add(Outputs::iterator before) {
  if (free_.empty()) return *outputs_.emplace(before, *this);
  outputs_.splice(before, free_, free_.begin());
  return *std::prev(before);
}

TurnQueue::Outputs::iterator TurnQueue::place_of(const TurnOutput& output) {
  return std::ranges::find_if(outputs_, [&](const TurnOutput& one) { return &one == &output; });
}

TurnOutput* TurnQueue::begin() {
  const Lock lock{mutex_};
  if (stopped_ || nr_pieces_ >= most_pieces_) return nullptr;
  ++nr_pieces_;
  ++nr_open_;
  return &add(outputs_.end());
}

// Requires: the piece has the turn.
void TurnQueue::write_held(TurnOutput& piece) {
  std::size_t at = 0;
  const auto write_to = [&](std::size_t end) {
    output_.pass(std::as_bytes(std::span{piece.held_}.subspan(at, end - at)));
    at = end;
  };
  for (const auto& [offset, error] : piece.errors_) {
    write_to(offset);
    if (output_.flush() == Step::go) program_.report(error);
  }
  write_to(piece.held_.size());
  piece.held_.clear();
  piece.errors_.clear();
}

bool TurnQueue::write(TurnOutput& piece, const char* bytes, std::size_t size) {
  Lock lock{mutex_};
  if (piece.is_chunk_ || (!is_first(piece) && !has_no_room(piece, size))) {
    lock.unlock();  // nobody else writes there until it is done
    piece.held_.append(bytes, size);
    return true;
  }
  wait_for_turn(lock, piece);
  if (stopped_) return false;
  lock.unlock();
  write_held(piece);
  output_.pass(std::as_bytes(std::span{bytes, size}));
  return output_.step() == Step::go;
}

void TurnQueue::report(TurnOutput& piece, const Error& error) {
  Lock lock{mutex_};
  piece.errors_.emplace_back(piece.held_.size(), error);
  if (!is_first(piece) && !has_no_room(piece, 0)) return;
  wait_for_turn(lock, piece);
  if (stopped_) return;
  lock.unlock();
  write_held(piece);
}

// Requires: it is done, and has the turn.
void TurnQueue::write_all(TurnOutput& output) {
  if (output.dropped_) return;
  if (SharedImage* const to = output.goes_to_) {
    const bool goes_on = to->hand_on(output.held_) == Step::go && to->hand_on(output.waiting()) == Step::go;
    output.stops_ = !goes_on;
    return;
  }
  write_held(output);
  output_.pass(std::as_bytes(std::span{output.waiting()}));
}

// Requires: whoever calls it has just ended the first.
void TurnQueue::write_done(Lock& lock) {
  while (!outputs_.empty() && outputs_.front().done_ && !stopped_) {
    TurnOutput& first = outputs_.front();
    lock.unlock();
    write_all(first);
    lock.lock();
    if (first.stops_ || output_.step() == Step::stop) stopped_ = true;
    --(first.is_chunk_ ? nr_chunks_ : nr_pieces_);
    first.clear();
    free_.splice(free_.begin(), outputs_, outputs_.begin());
    changed_.notify_all();  // there is room
  }
}

void TurnQueue::end(TurnOutput& piece, Step step) {
  Lock lock{mutex_};
  piece.done_ = true;
  piece.stops_ = step == Step::stop;
  --nr_open_;
  if (is_first(piece)) write_done(lock);
  changed_.notify_all();
}

void TurnQueue::no_more_pieces() {
  const Lock lock{mutex_};
  ended_ = true;
  changed_.notify_all();
}

// What the piece has said so far stands before the image.
void TurnQueue::share(TurnOutput& piece, SharedImage& image) {
  (void)piece.flush();
  Lock lock{mutex_};
  const bool is_front = is_first(piece);
  if (is_front) {
    lock.unlock();
    write_held(piece);
    lock.lock();
  } else if (!piece.held_.empty() || !piece.errors_.empty()) {
    TurnOutput& before = add(place_of(piece));
    ++nr_pieces_;
    std::swap(before.held_, piece.held_);
    std::swap(before.errors_, piece.errors_);
    before.done_ = true;
  }
  piece.image_ = &image;
  ++nr_shared_;
  changed_.notify_all();
}

// The first piece with a chunk to be claimed. One whose image has none at work may have one more: it may be that all
// others wait for it.
TurnOutput* TurnQueue::with_chunk() {
  if (stopped_ || nr_shared_ == 0) return nullptr;
  for (TurnOutput& output : outputs_) {
    if (output.is_chunk_ || !output.image_ || !output.image_->has_more()) continue;
    return nr_chunks_ < most_chunks_ || is_first(output) ? &output : nullptr;
  }
  return nullptr;
}

bool TurnQueue::claim(ChunkWork& work) {
  const Lock lock{mutex_};
  TurnOutput* const piece = with_chunk();
  if (!piece) return false;
  work.piece = piece;
  work.image = piece->image_;
  work.image->claim(work.chunk);
  work.has_more = work.image->has_more();
  work.output = &add(place_of(*piece));
  work.output->is_chunk_ = true;
  work.output->image_ = work.image;
  work.output->goes_to_ = work.image->hands_on() ? work.image : nullptr;
  work.output->number_ = work.chunk.number;
  ++piece->nr_chunks_;
  ++nr_chunks_;
  return true;
}

void TurnQueue::end_chunk(ChunkWork& work, bool good) {
  Lock lock{mutex_};
  TurnOutput& output = *work.output;
  TurnOutput& piece = *work.piece;
  const std::size_t size = output.size();
  if (work.chunk.bytes.empty() || !good) work.image->end();
  if (good && !work.chunk.bytes.empty()) work.image->learn(work.chunk.bytes.size(), size);
  if (work.nr_selected > 0) piece.selected_.emplace_back(output.number_, std::exchange(work.nr_selected, 0));
  if (!good && (!piece.failed_ || piece.failed_->number > work.chunk.number)) {
    piece.failed_ = std::move(work.chunk);
    for (TurnOutput& one : outputs_)
      if (one.is_chunk_ && one.image_ == work.image && one.number_ >= output.number_) one.dropped_ = true;
  }
  if (piece.failed_ && output.number_ >= piece.failed_->number) output.dropped_ = true;
  output.done_ = true;
  --piece.nr_chunks_;
  if (is_first(output)) write_done(lock);
  changed_.notify_all();
}

bool TurnQueue::wait_for_chunk(const TurnOutput& piece) {
  Lock lock{mutex_};
  const auto is_over = [&] { return piece.nr_chunks_ == 0 && (stopped_ || !piece.image_->has_more()); };
  changed_.wait(lock, [&] { return is_over() || with_chunk(); });
  return !is_over();
}

TurnQueue::Shared TurnQueue::unshare(TurnOutput& piece) {
  Lock lock{mutex_};
  piece.image_->end();
  const bool waits_for_turn = piece.image_->hands_on();
  changed_.wait(lock, [&] { return piece.nr_chunks_ == 0 && (!waits_for_turn || stopped_ || is_first(piece)); });
  --nr_shared_;
  for (TurnOutput& one : outputs_)
    if (one.is_chunk_ && one.image_ == piece.image_) one.image_ = nullptr;
  piece.image_ = nullptr;
  Shared shared{std::exchange(piece.failed_, std::nullopt)};
  for (const auto& [number, nr_selected] : std::exchange(piece.selected_, {}))
    if (!shared.failed || number < shared.failed->number) shared.nr_selected += nr_selected;
  return shared;
}

bool TurnQueue::wait_for_work() {
  Lock lock{mutex_};
  const auto is_over = [&] { return stopped_ || (ended_ && nr_open_ == 0); };
  changed_.wait(lock, [&] { return is_over() || with_chunk() || (!ended_ && nr_pieces_ < most_pieces_); });
  return !is_over();
}

void TurnQueue::stop() {
  const Lock lock{mutex_};
  stopped_ = true;
  changed_.notify_all();
}

bool TurnQueue::is_stopped() {
  const Lock lock{mutex_};
  return stopped_;
}

}  // namespace critpipe::filters
