#include "cli/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <sys/stat.h>
#include <system_error>
#include <thread>

namespace critpipe::filters {

namespace {

constexpr std::size_t held_piece_bytes = 256 << 10;
constexpr std::size_t held_error_bytes = 512;  // about, with its names
constexpr std::size_t batch_bytes = 64 << 10;  // of text that a batch is expected to come to
constexpr std::size_t max_batch = 16;
constexpr std::size_t pieces_per_thread = 4;  // in the queue of turns

class TurnQueue;

// The text of one piece, or of a few small ones.
class PieceOutput final : public Output {
 public:
  explicit PieceOutput(TurnQueue& turns) : Output{block_bytes / 4}, turns_{turns} {}
  void report(const Error& error);

  std::string held;
  std::vector<std::pair<std::size_t, Error>> errors;  // behind so many bytes of held
  bool done = false;
  bool stops = false;  // nothing behind it is wanted
  std::size_t size = 0;

 private:
  bool drain(const char* bytes, std::size_t size) override;
  TurnQueue& turns_;
};

// The pieces that are being read, in the order of the inputs; the one at the front may write.
class TurnQueue {
 public:
  TurnQueue(Program& program, Output& output, std::size_t most) : program_{program}, output_{output}, most_{most} {}

  // Waits for room at the end of the queue; null: nothing more is to be read.
  PieceOutput* begin();
  void end(PieceOutput& piece, Step step);
  bool write(PieceOutput& piece, const char* bytes, std::size_t size);
  void report(PieceOutput& piece, const Error& error);
  // Nothing more is written, and all threads come back.
  void stop();
  bool is_stopped() const { return stopped_; }  // Requires: no thread is at work

 private:
  using Lock = std::unique_lock<std::mutex>;

  // Must it wait for its turn, since too much is held?
  bool has_no_room(const PieceOutput& piece, std::size_t more) const {
    return piece.held.size() + piece.errors.size() * held_error_bytes + more > held_piece_bytes;
  }
  bool is_first(const PieceOutput& piece) const { return &pieces_.front() == &piece; }
  void write_held(PieceOutput& piece);
  void wait_for_turn(Lock& lock, const PieceOutput& piece) {
    changed_.wait(lock, [&] { return stopped_ || is_first(piece); });
  }

  Program& program_;
  Output& output_;
  std::size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<PieceOutput> pieces_;
  bool stopped_ = false;
};

bool PieceOutput::drain(const char* bytes, std::size_t size) { return turns_.write(*this, bytes, size); }

void PieceOutput::report(const Error& error) {
  if (flush() == Step::go) turns_.report(*this, error);
}

PieceOutput* TurnQueue::begin() {
  Lock lock{mutex_};
  changed_.wait(lock, [&] { return stopped_ || pieces_.size() < most_; });
  return stopped_ ? nullptr : &pieces_.emplace_back(*this);
}

// Requires: the piece has the turn.
void TurnQueue::write_held(PieceOutput& piece) {
  std::size_t at = 0;
  const auto write_to = [&](std::size_t end) {
    output_.pass(std::as_bytes(std::span{piece.held}.subspan(at, end - at)));
    at = end;
  };
  for (const auto& [offset, error] : piece.errors) {
    write_to(offset);
    if (output_.flush() == Step::go) program_.report(error);
  }
  write_to(piece.held.size());
  piece.held = {};
  piece.errors.clear();
}

bool TurnQueue::write(PieceOutput& piece, const char* bytes, std::size_t size) {
  piece.size += size;
  Lock lock{mutex_};
  if (!is_first(piece) && !has_no_room(piece, size)) {
    piece.held.append(bytes, size);
    return !stopped_;
  }
  wait_for_turn(lock, piece);
  if (stopped_) return false;
  lock.unlock();
  write_held(piece);
  output_.pass(std::as_bytes(std::span{bytes, size}));
  return output_.step() == Step::go;
}

void TurnQueue::report(PieceOutput& piece, const Error& error) {
  Lock lock{mutex_};
  piece.errors.emplace_back(piece.held.size(), error);
  if (!is_first(piece) && !has_no_room(piece, 0)) return;
  wait_for_turn(lock, piece);
  if (stopped_) return;
  lock.unlock();
  write_held(piece);
}

void TurnQueue::end(PieceOutput& piece, Step step) {
  (void)piece.flush();
  Lock lock{mutex_};
  piece.done = true;
  piece.stops = step == Step::stop;
  const bool has_turn = is_first(piece);
  while (has_turn && !pieces_.empty() && pieces_.front().done && !stopped_) {
    PieceOutput& first = pieces_.front();
    lock.unlock();
    write_held(first);
    lock.lock();
    if (first.stops || output_.step() == Step::stop) stopped_ = true;
    pieces_.pop_front();
  }
  changed_.notify_all();
}

void TurnQueue::stop() {
  const Lock lock{mutex_};
  stopped_ = true;
  changed_.notify_all();
}

class Workers {
 public:
  Workers(Program& program, Output& output, const MakeReceiver& make, const SourceOptions& options, std::size_t threads)
      : program_{program},
        make_{make},
        selection_{program},
        pieces_{program.inputs(), options},
        turns_{program, output, threads * pieces_per_thread} {}

  // Reads pieces until there are no more. What is thrown is kept for rethrow(), and the other threads come back.
  void work() noexcept;
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }
  void report_missing() const {
    if (!turns_.is_stopped()) selection_.report_missing(program_, any_);
  }

 private:
  void read_pieces();
  Step read_batch(const std::vector<std::unique_ptr<Piece>>& batch, PieceOutput& output);
  std::vector<std::unique_ptr<Piece>> take();

  Program& program_;
  const MakeReceiver& make_;
  Selection selection_;
  std::mutex source_;
  Pieces pieces_;
  std::atomic<std::size_t> bytes_per_piece_ = batch_bytes;
  std::atomic<bool> any_ = false;
  std::mutex failing_;
  std::exception_ptr failure_;  // the first
  TurnQueue turns_;
};

// As many pieces as are expected to come to batch_bytes of text, by those that were read before.
std::vector<std::unique_ptr<Piece>> Workers::take() {
  std::vector<std::unique_ptr<Piece>> batch;
  const std::size_t most =
      std::clamp<std::size_t>(batch_bytes / std::max<std::size_t>(bytes_per_piece_, 1), 1, max_batch);
  while (batch.size() < most) {
    auto piece = pieces_.next();
    if (!piece) break;
    const bool is_last = piece->is_open();
    batch.push_back(std::move(piece));
    if (is_last) break;
  }
  return batch;
}

void Workers::work() noexcept {
  try {
    read_pieces();
  } catch (...) {
    {
      const std::lock_guard lock{failing_};
      if (!failure_) failure_ = std::current_exception();
    }
    turns_.stop();
  }
}

// The receiver is gone before its output is.
Step Workers::read_batch(const std::vector<std::unique_ptr<Piece>>& batch, PieceOutput& output) {
  const auto receiver = make_(output, [&](const Error& error) { output.report(error); });
  Selected selected{selection_, *receiver};
  Step step = Step::go;
  for (const auto& piece : batch)
    if ((step = piece->read(selected)) == Step::stop) break;
  if (selected.any()) any_ = true;
  return step;
}

void Workers::read_pieces() {
  for (;;) {
    // Held while the queue is full, too: pieces get their places in the order of the inputs.
    std::unique_lock lock{source_};
    const auto batch = take();
    PieceOutput* output = batch.empty() ? nullptr : turns_.begin();
    lock.unlock();
    if (!output) return;
    const Step step = read_batch(batch, *output);
    (void)output->flush();
    bytes_per_piece_ = std::max(output->size / batch.size(), bytes_per_piece_ / 2);
    turns_.end(*output, step);
  }
}

bool has_pieces(const std::vector<std::string>& inputs) {
  struct stat status;
  return inputs.size() > 1 || (stat(inputs[0].c_str(), &status) == 0 && S_ISDIR(status.st_mode));
}

}  // namespace

void on_threads(Program& program, std::size_t most, const std::function<void()>& work) {
  const std::size_t threads = std::min<std::size_t>(threads_of(program, "jobs"), std::max<std::size_t>(most, 1));
  std::mutex failing;
  std::exception_ptr failure;
  const auto guarded = [&]() noexcept {
    try {
      work();
    } catch (...) {
      const std::lock_guard lock{failing};
      if (!failure) failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  others.reserve(threads);
  try {
    for (std::size_t i = 1; i < threads; ++i) others.emplace_back(guarded);
  } catch (const std::system_error&) {
    // The system starts no more threads: those that run do the work.
  } catch (const std::bad_alloc&) {
  }
  guarded();
  for (std::thread& thread : others) thread.join();
  if (failure) std::rethrow_exception(failure);
}

void read_inputs(Program& program, Output& output, const MakeReceiver& make, const SourceOptions& options) {
  const std::size_t threads = threads_of(program, "jobs");
  if (threads == 1 || !has_pieces(program.inputs())) {
    const auto receiver = make(output, [&](const Error& error) {
      if (output.flush() == Step::go) program.report(error);
    });
    (void)read_inputs(program, *receiver, options);
    return;
  }
  SourceOptions reading = options;  // on all threads as it is
  reading.threads = 1;
  Workers workers{program, output, make, reading, threads};
  on_threads(program, threads, [&] { workers.work(); });
  workers.rethrow();
  workers.report_missing();
}

}  // namespace critpipe::filters
