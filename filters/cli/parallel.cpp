#include "cli/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <sched.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>

namespace critpipe::filters {

namespace {

constexpr std::size_t held_piece_bytes = 256 << 10;
constexpr std::size_t batch_bytes = 64 << 10;  // of text that pieces taken together come to, by what was seen
constexpr std::size_t max_batch = 16;
constexpr std::size_t pieces_a_thread = 4;  // that may be done before their turn
constexpr std::uint64_t max_threads = 64;

class Orders;

// The text of one piece, or of a few small ones.
class PieceOutput final : public Output {
 public:
  explicit PieceOutput(Orders& orders) : Output{block_bytes / 4}, orders_{orders} {}
  void report(const Error& error);

  std::string held;
  std::vector<std::pair<std::size_t, Error>> errors;  // behind so many bytes of held
  bool done = false;
  std::size_t size = 0;

 private:
  bool drain(const char* bytes, std::size_t size) override;
  Orders& orders_;
};

// Who may write. Only the piece at the front does, so no lock is held while it does.
class Orders {
 public:
  Orders(Program& program, Output& output, std::size_t most) : program_{program}, output_{output}, most_{most} {}

  // A place behind all others, when there is room; null: no more is wanted.
  PieceOutput* begin();
  void end(PieceOutput& piece, Step step);
  bool write(PieceOutput& piece, const char* bytes, std::size_t size);
  void report(PieceOutput& piece, const Error& error);
  // An exception ends the work: all threads leave it, and rethrow() gives it to the thread that waits for them.
  void abandon(std::exception_ptr thrown);
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

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
  std::exception_ptr thrown_;
};

bool PieceOutput::drain(const char* bytes, std::size_t size) { return orders_.write(*this, bytes, size); }

void PieceOutput::report(const Error& error) {
  if (flush() == Step::go) orders_.report(*this, error);
}

PieceOutput* Orders::begin() {
  Lock lock{mutex_};
  changed_.wait(lock, [&] { return stopped_ || pieces_.size() < most_; });
  return stopped_ ? nullptr : &pieces_.emplace_back(*this);
}

// Requires: it is its turn.
void Orders::write_held(PieceOutput& piece) {
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

bool Orders::write(PieceOutput& piece, const char* bytes, std::size_t size) {
  piece.size += size;
  Lock lock{mutex_};
  if (!is_first(piece) && piece.held.size() + size <= held_piece_bytes) {
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

void Orders::report(PieceOutput& piece, const Error& error) {
  Lock lock{mutex_};
  piece.errors.emplace_back(piece.held.size(), error);
  if (!is_first(piece)) return;
  lock.unlock();
  write_held(piece);
}

// The first that is done, and those behind it that were done before, go out.
void Orders::end(PieceOutput& piece, Step step) {
  (void)piece.flush();
  Lock lock{mutex_};
  piece.done = true;
  const bool is_turn = is_first(piece);
  if (is_turn && step == Step::stop) stopped_ = true;
  while (is_turn && !pieces_.empty() && pieces_.front().done && !stopped_) {
    PieceOutput& first = pieces_.front();
    lock.unlock();
    write_held(first);
    lock.lock();
    pieces_.pop_front();
    if (output_.step() == Step::stop) stopped_ = true;
  }
  changed_.notify_all();
}

void Orders::abandon(std::exception_ptr thrown) {
  const Lock lock{mutex_};
  if (!thrown_) thrown_ = std::move(thrown);
  stopped_ = true;
  changed_.notify_all();
}

class Crew {
 public:
  Crew(Program& program, Output& output, const MakeReceiver& make, std::size_t threads)
      : program_{program},
        make_{make},
        pieces_{program.inputs(), source_options(program)},
        orders_{program, output, threads * pieces_a_thread} {}

  // On this thread and others. Where the system gives fewer, those that there are do it all.
  void work_on(std::size_t threads);
  bool any() const { return any_; }

 private:
  void work();
  void work_or_abandon() noexcept {
    try {
      work();
    } catch (...) {
      orders_.abandon(std::current_exception());
    }
  }
  std::vector<std::unique_ptr<Piece>> take();

  Program& program_;
  const MakeReceiver& make_;
  std::mutex source_;
  Pieces pieces_;
  std::atomic<std::size_t> bytes_a_piece_ = batch_bytes;
  std::atomic<bool> any_ = false;
  Orders orders_;
};

// Small pieces are taken together: the order of each would cost more than it does.
std::vector<std::unique_ptr<Piece>> Crew::take() {
  std::vector<std::unique_ptr<Piece>> batch;
  const std::size_t most =
      std::clamp<std::size_t>(batch_bytes / std::max<std::size_t>(bytes_a_piece_, 1), 1, max_batch);
  while (batch.size() < most) {
    auto piece = pieces_.next();
    if (!piece) break;
    const bool is_last = piece->is_open();
    batch.push_back(std::move(piece));
    if (is_last) break;
  }
  return batch;
}

void Crew::work() {
  for (;;) {
    // Held while there is no room, too: pieces get their places in the order in which they come.
    std::unique_lock lock{source_};
    const auto batch = take();
    PieceOutput* output = batch.empty() ? nullptr : orders_.begin();
    lock.unlock();
    if (!output) return;
    const auto receiver = make_(*output, [&](const Error& error) { output->report(error); });
    Selected selected{program_, *receiver};
    Step step = Step::go;
    for (const auto& piece : batch)
      if ((step = piece->read(selected)) == Step::stop) break;
    if (selected.any()) any_ = true;
    (void)output->flush();
    bytes_a_piece_ = std::max(output->size / batch.size(), bytes_a_piece_ / 2);
    orders_.end(*output, step);
  }
}

void Crew::work_on(std::size_t threads) {
  std::vector<std::thread> others;
  others.reserve(threads);
  try {
    while (others.size() + 1 < threads) others.emplace_back([this] { work_or_abandon(); });
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
  work_or_abandon();
  for (std::thread& other : others) other.join();
  orders_.rethrow();
}

std::size_t nr_threads(Program& program) {
  cpu_set_t set;
  const int processors = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const std::uint64_t number = program.number("jobs", static_cast<std::uint64_t>(processors));
  if (number == 0) program.usage("--jobs takes a number from 1 on");
  return static_cast<std::size_t>(std::min(number, max_threads));
}

bool has_pieces(const std::vector<std::string>& inputs) {
  struct stat status;
  return inputs.size() > 1 || (stat(inputs[0].c_str(), &status) == 0 && S_ISDIR(status.st_mode));
}

}  // namespace

void read_inputs(Program& program, Output& output, const MakeReceiver& make) {
  const std::size_t threads = nr_threads(program);
  if (threads == 1 || !has_pieces(program.inputs())) {
    const auto receiver = make(output, [&](const Error& error) {
      if (output.flush() == Step::go) program.report(error);
    });
    (void)read_inputs(program, *receiver);
    return;
  }
  Crew crew{program, output, make, threads};
  crew.work_on(threads);
  if (has_selection(program) && !crew.any()) program.set_exit_code(exit_no);
}

}  // namespace critpipe::filters
