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

// What is of a chunk is set when one is claimed, and what is of a piece's image is empty again when that is unshared.
void TurnOutput::clear() {
  drop_waiting();
  held_.clear();
  if (held_.capacity() > TurnQueue::held_piece_bytes) held_.shrink_to_fit();
  errors_.clear();
  done_ = stops_ = dropped_ = is_chunk_ = false;
  size_ = 0;
  image_ = goes_to_ = nullptr;
  piece_ = nullptr;
  failed_.reset();
  selected_.clear();
}

TurnOutput& TurnQueue::add(Outputs::iterator before) {
  if (free_.empty()) outputs_.emplace(before, *this);
  else outputs_.splice(before, free_, free_.begin());
  TurnOutput& added = *std::prev(before);
  added.place_ = std::prev(before);
  return added;
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

// A front that is done has a thread that writes it: the one that has ended it, or that has written what was before it.
// An image that gets texts lives until that is over.
// Requires: whoever calls it has just ended the first.
void TurnQueue::write_done(Lock& lock) {
  while (!outputs_.empty() && outputs_.front().done_ && !stopped_) {
    TurnOutput& first = outputs_.front();
    TurnOutput* const piece = first.goes_to_ ? first.piece_ : nullptr;
    if (piece) ++piece->nr_at_work_;
    lock.unlock();
    try {
      write_all(first);
    } catch (...) {
      lock.lock();
      if (piece) --piece->nr_at_work_;
      stopped_ = true;
      wake_all();
      throw;
    }
    lock.lock();
    if (piece) --piece->nr_at_work_;
    if (first.stops_ || output_.step() == Step::stop) stopped_ = true;
    --(first.is_chunk_ ? nr_chunks_ : nr_pieces_);
    first.clear();
    free_.splice(free_.begin(), outputs_, outputs_.begin());
    wake_for(1);  // there is room
    turn_.notify_all();
  }
}

void TurnQueue::end(TurnOutput& piece, Step step) {
  Lock lock{mutex_};
  piece.done_ = true;
  piece.stops_ = step == Step::stop;
  --nr_open_;
  const bool is_last = ended_ && nr_open_ == 0;
  go_on(lock, is_first(piece), 0);
  if (is_last) wake_all();
}

void TurnQueue::no_more_pieces() {
  const Lock lock{mutex_};
  ended_ = true;
  if (nr_open_ == 0) wake_all();
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
    TurnOutput& before = add(piece.place_);
    ++nr_pieces_;
    std::swap(before.held_, piece.held_);
    std::swap(before.errors_, piece.errors_);
    before.done_ = true;
  }
  piece.image_ = &image;
  sharing_.clear();
  for (TurnOutput& output : outputs_)
    if (!output.is_chunk_ && output.image_) sharing_.push_back(&output);
  wake_all();
}

// The first piece with a chunk to be claimed. The first of all always has room: it may be that all others wait for it.
TurnOutput* TurnQueue::with_chunk() const {
  if (stopped_) return nullptr;
  for (TurnOutput* const piece : sharing_)
    if (piece->image_->can_claim()) return nr_chunks_ < most_chunks_ || is_first(*piece) ? piece : nullptr;
  return nullptr;
}

bool TurnQueue::claim(ChunkWork& work) {
  const Lock lock{mutex_};
  if (stopped_) return false;
  work.is_settled = !settled_.empty();
  if (work.is_settled) {
    work.output = settled_.front();
    settled_.pop_front();
  } else {
    TurnOutput* const piece = with_chunk();
    if (!piece) return false;
    work.output = &add(piece->place_);
    work.output->is_chunk_ = true;
    work.output->stage_ = TurnOutput::Stage::claimed;
    work.output->piece_ = piece;
    work.output->image_ = piece->image_;
    work.output->goes_to_ = piece->image_->hands_on() ? piece->image_ : nullptr;
    work.output->chunk_.buffer = std::move(work.spare);
    piece->unsettled_.push_back(work.output);
    piece->image_->claim(work.output->chunk_);
    ++piece->nr_chunks_;
    ++nr_chunks_;
  }
  ++work.output->piece_->nr_at_work_;
  work.image = work.output->image_;
  work.chunk = &work.output->chunk_;
  work.has_more = work.image->is_open();
  work.nr_selected = 0;
  return true;
}

// Settles what can be. Returns how many chunks are to be decoded.
std::size_t TurnQueue::settle(TurnOutput& piece) {
  std::size_t nr_settled = 0;
  while (!piece.unsettled_.empty() && piece.unsettled_.front()->stage_ == TurnOutput::Stage::filled) {
    TurnOutput& next = *piece.unsettled_.front();
    piece.unsettled_.pop_front();
    next.stage_ = TurnOutput::Stage::settled;
    if (piece.image_->settle(next.chunk_)) {
      settled_.push_back(&next);
      ++nr_settled;
    } else {
      next.done_ = next.dropped_ = true;
      --piece.nr_chunks_;
    }
  }
  return nr_settled;
}

void TurnQueue::go_on(Lock& lock, bool ended_front, std::size_t nr_works) {
  wake_for(nr_works);
  if (ended_front) write_done(lock);
  if (stopped_) wake_all();
}

bool TurnQueue::end_fill(ChunkWork& work) {
  Lock lock{mutex_};
  TurnOutput& output = *work.output;
  TurnOutput& piece = *output.piece_;
  const bool is_written = is_first_done();  // by another thread
  output.stage_ = TurnOutput::Stage::filled;
  std::size_t nr_works = settle(piece);
  const auto own = std::ranges::find(settled_, &output);
  work.is_settled = own != settled_.end() && !stopped_;
  if (work.is_settled) {
    settled_.erase(own);
    --nr_works;
  } else {
    --piece.nr_at_work_;
    work.output = nullptr;
  }
  if (with_chunk()) ++nr_works;
  go_on(lock, !is_written && is_first_done(), nr_works);
  return work.is_settled;
}

void TurnQueue::end_chunk(ChunkWork& work, bool good) {
  Lock lock{mutex_};
  TurnOutput& output = *work.output;
  TurnOutput& piece = *output.piece_;
  const std::uint64_t number = work.chunk->number;
  if (good) work.image->learn(work.chunk->bytes.size(), output.size());
  else work.image->close();
  if (work.nr_selected > 0) piece.selected_.emplace_back(number, work.nr_selected);
  if (!good && (!piece.failed_ || piece.failed_->number > number)) {
    piece.failed_ = std::move(*work.chunk);
    for (TurnOutput& one : outputs_)
      if (one.is_chunk_ && one.image_ == work.image && one.chunk_.number >= number) one.dropped_ = true;
  }
  work.spare = std::move(work.chunk->buffer);
  if (piece.failed_ && number >= piece.failed_->number) output.dropped_ = true;
  output.done_ = true;
  --piece.nr_chunks_;
  --piece.nr_at_work_;
  work.output = nullptr;
  go_on(lock, is_first(output), 0);
}

void TurnQueue::give_up(ChunkWork& work) {
  const Lock lock{mutex_};
  if (work.output) --work.output->piece_->nr_at_work_;
  stopped_ = true;
  wake_all();
}

bool TurnQueue::has_ended(const TurnOutput& piece) const {
  return stopped_ ? piece.nr_at_work_ == 0 : piece.nr_chunks_ == 0;
}

bool TurnQueue::wait_for_chunk(const TurnOutput& piece) {
  Lock lock{mutex_};
  const auto is_over = [&] { return has_ended(piece) && (stopped_ || !piece.image_->is_open()); };
  owners_.wait(lock, [&] { return is_over() || has_chunk(); });
  return !is_over();
}

TurnQueue::Shared TurnQueue::unshare(TurnOutput& piece) {
  Lock lock{mutex_};
  if (!piece.image_) return {};  // share() did not come so far
  piece.image_->close();
  const bool waits_for_turn = piece.image_->hands_on();
  owners_.wait(lock, [&] { return has_ended(piece) && (!waits_for_turn || stopped_ || is_first(piece)); });
  std::erase(sharing_, &piece);
  for (TurnOutput& one : outputs_)
    if (one.is_chunk_ && one.image_ == piece.image_) one.image_ = one.goes_to_ = nullptr;
  piece.image_ = nullptr;
  piece.unsettled_.clear();
  Shared shared{std::exchange(piece.failed_, std::nullopt)};
  for (const auto& [number, nr_selected] : std::exchange(piece.selected_, {}))
    if (!shared.failed || number < shared.failed->number) shared.nr_selected += nr_selected;
  return shared;
}

bool TurnQueue::wait_for_work() {
  Lock lock{mutex_};
  const auto is_over = [&] { return stopped_ || (ended_ && nr_open_ == 0); };
  idle_.wait(lock, [&] { return is_over() || has_chunk() || (!ended_ && nr_pieces_ < most_pieces_); });
  return !is_over();
}

void TurnQueue::stop() {
  const Lock lock{mutex_};
  stopped_ = true;
  wake_all();
}

bool TurnQueue::is_stopped() {
  const Lock lock{mutex_};
  return stopped_;
}

}  // namespace critpipe::filters
