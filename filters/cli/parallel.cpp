#include "cli/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <sys/stat.h>
#include <system_error>
#include <thread>

#include "cli/turns.hpp"

namespace critpipe::filters {

namespace {

constexpr std::size_t batch_bytes = 64 << 10;  // of text that a batch is expected to come to
constexpr std::size_t max_batch = 16;
// What one thread has read by the time that another has started: a small checkpoint.
constexpr std::size_t small_pieces = 64, small_bytes = 256 << 10;
constexpr std::size_t pieces_per_thread = 4, chunks_per_thread = 2;  // that are at work, or wait for their turn

// The first exception of some threads.
class Failure {
 public:
  void keep() {
    const std::lock_guard lock{mutex_};
    if (!first_) first_ = std::current_exception();
  }
  // Requires: the threads have come back.
  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr first_;
};

// Threads that are started one by one, as there is work for them.
class Helpers {
 public:
  Helpers(std::size_t most, std::function<void()> work) : most_{most}, work_{std::move(work)} {}
  void start(std::size_t nr_more) {
    const std::lock_guard lock{mutex_};
    for (; nr_more > 0 && threads_.size() < most_; --nr_more) {
      try {
        threads_.emplace_back(work_);
      } catch (const std::system_error&) {
        most_ = 0;  // the system starts no more: those that run do the work
      } catch (const std::bad_alloc&) {
        most_ = 0;
      }
    }
  }
  void join() {
    {
      const std::lock_guard lock{mutex_};
      most_ = 0;
    }
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::mutex mutex_;
  std::size_t most_;
  std::function<void()> work_;
  std::vector<std::thread> threads_;
};

class Workers {
 public:
  Workers(Program& program, Output& output, const Makers& makers, const SourceOptions& options, std::size_t threads)
      : program_{program},
        makers_{makers},
        limits_{limits_of(program)},
        selection_{program},
        pieces_{program.inputs(), options},
        turns_{program, output, makers.put_in ? 1 : threads * pieces_per_thread, threads * chunks_per_thread},
        helpers_{threads - 1, [this] { work(); }} {}

  // Reads all. What a thread throws is thrown on when the others have come back.
  void run() {
    work();
    helpers_.join();
    failure_.rethrow();
    if (!turns_.is_stopped()) selection_.report_missing(program_, any_);
  }

 private:
  friend class Sharing;
  using Batch = std::vector<std::unique_ptr<Piece>>;

  void work() noexcept;
  void read_all();
  bool read_batch();
  Step read(const Batch& batch, TurnOutput& output);
  Batch take();
  void decode(ChunkWork& work);
  void decode_shared(TurnOutput& piece);

  Program& program_;
  const Makers& makers_;
  Limits limits_;
  Selection selection_;
  std::mutex source_;
  Pieces pieces_;              // for who holds it
  bool ended_ = false;         // likewise
  std::size_t nr_pieces_ = 0;  // likewise
  std::atomic<std::size_t> bytes_per_piece_ = batch_bytes, text_bytes_ = 0;
  std::atomic<bool> any_ = false;
  TurnQueue turns_;
  Failure failure_;
  Helpers helpers_;
};

// The receiver of a piece: hands on what comes, but for large images, whose entries are shared.
class Sharing final : public Receiver {
 public:
  Sharing(Workers& workers, Decoding& receiver, TurnOutput& output)
      : workers_{workers}, receiver_{receiver}, output_{output} {}

  bool wants(const Member& member) override { return receiver_.wants(member); }
  Step begin(const Member& member) override {
    waits_ = workers_.makers_.chunk && may_be_shared(member);
    return waits_ ? Step::go : receiver_.begin(member);
  }
  std::uint64_t take_file(const Member& member) override {
    return begin_now(member) == Step::go ? receiver_.take_file(member) : 0;
  }
  bool needs_bytes(const Member& member) override { return waits_ || receiver_.needs_bytes(member); }
  Run take_run(const Member& member, ByteReader& reader) override;
  Step bytes(const Member& member, Bytes bytes) override {
    return begin_now(member) == Step::go ? receiver_.bytes(member, bytes) : Step::stop;
  }
  Step end(const Member& member) override { return begin_now(member) == Step::go ? receiver_.end(member) : Step::stop; }
  bool has_enough(const Member& member) override { return !waits_ && receiver_.has_enough(member); }
  void fail(const Member* member, const Error& error) override {
    if (member) (void)begin_now(*member);
    receiver_.fail(member, error);
  }

 private:
  static bool may_be_shared(const Member& member) {
    const bool is_small = member.size != Member::unknown && member.size < SharedImage::least_bytes;
    const Kind* kind = kind_of_name(member.name);
    return member.is_image && !member.interleaved && !is_small && !(kind && kind->is_raw());
  }
  Step begin_now(const Member& member) { return std::exchange(waits_, false) ? receiver_.begin(member) : Step::go; }
  Run take_shared(const Member& member, SharedImage& image);
  static std::size_t read_begin(ByteReader& reader, const ByteReader::Plain& plain, ChunkBuffer& buffer);

  Workers& workers_;
  Decoding& receiver_;
  TurnOutput& output_;
  bool waits_ = false;  // the member has begun, and the receiver does not know yet
};

// Enough to know whether the image is worth it. Of a plain file it stays unread.
std::size_t Sharing::read_begin(ByteReader& reader, const ByteReader::Plain& plain, ChunkBuffer& buffer) {
  constexpr std::size_t head_bytes = 8;
  std::size_t size = 0;
  if (plain.file) {
    Error ignored;
    return plain.size < SharedImage::least_bytes
               ? 0
               : plain.file->pread({buffer.room(head_bytes, 0), head_bytes}, plain.at, ignored);
  }
  while (size < SharedImage::least_bytes) {
    const Bytes block = reader.read();
    if (block.empty()) break;
    std::memcpy(buffer.room(SharedImage::least_bytes + block.size(), size) + size, block.data(), block.size());
    size += block.size();
  }
  return size;
}

Receiver::Run Sharing::take_run(const Member& member, ByteReader& reader) {
  if (!waits_) return {};
  ChunkBuffer buffer;
  const ByteReader::Plain plain = reader.plain();
  const std::size_t size = read_begin(reader, plain, buffer);
  const std::size_t nr_begun = plain.file ? 0 : size;
  const bool is_large = plain.file ? size > 0 : size >= SharedImage::least_bytes;
  const auto first = is_large ? receiver_.entries_of(member, {buffer.data(), size}) : std::nullopt;
  if (!first) {
    Run run{nr_begun, begin_now(member)};
    if (run.step == Step::go && nr_begun > 0) run.step = receiver_.bytes(member, {buffer.data(), nr_begun});
    return run;
  }
  SharedImage image{member, reader, *first, workers_.limits_, std::move(buffer), nr_begun};
  return take_shared(member, image);
}

// What comes first is decoded here: the sink has begun the image, and goes on behind the chunks.
Receiver::Run Sharing::take_shared(const Member& member, SharedImage& image) {
  SharedImage::Chunk begin;
  Step step = begin_now(member);
  image.claim(begin);
  image.fill(begin);
  const bool is_settled = image.settle(begin), is_filled = is_settled && image.complete(begin);
  const std::size_t text_before = output_.size();
  if (step == Step::go && is_filled) step = receiver_.bytes(member, begin.bytes);
  if (is_filled) image.learn(begin.bytes.size(), output_.size() - text_before);
  if (step == Step::stop || receiver_.has_enough(member)) return {image.nr_read(), step};
  TurnQueue& turns = workers_.turns_;
  TurnQueue::Shared shared;
  if (is_filled && image.is_open()) {
    if (const auto& put_in = workers_.makers_.put_in)
      image.hand_to([&](std::string_view text) { return put_in(receiver_, text); });
    try {
      turns.share(output_, image);
      workers_.decode_shared(output_);
    } catch (...) {
      turns.stop();
      (void)turns.unshare(output_);
      throw;
    }
    shared = turns.unshare(output_);
    if (turns.is_stopped()) return {0, Step::stop};
  }
  if (is_settled && !is_filled) shared.failed = std::move(begin);
  const SharedImage::Rest rest = image.rest(shared.failed ? &*shared.failed : nullptr);
  if (is_filled) receiver_.pass_to(member, rest.from, shared.nr_selected);
  if (!rest.bytes.empty()) step = receiver_.bytes(member, rest.bytes);
  return {rest.taken, step};
}

void Workers::work() noexcept {
  try {
    read_all();
  } catch (...) {
    failure_.keep();
    turns_.stop();
  }
}

void Workers::read_all() {
  ChunkWork chunk;
  do {
    do {
      while (turns_.claim(chunk)) decode(chunk);
    } while (read_batch());
  } while (turns_.wait_for_work());
}

// As many pieces as are expected to come to batch_bytes of text, by those that were read before.
Workers::Batch Workers::take() {
  Batch batch;
  const std::size_t most =
      std::clamp<std::size_t>(batch_bytes / std::max<std::size_t>(bytes_per_piece_, 1), 1, max_batch);
  while (batch.size() < most) {
    auto piece = pieces_.next_of_many();
    if (!piece) break;
    const bool is_last = piece->is_open();
    batch.push_back(std::move(piece));
    if (is_last) break;
  }
  return batch;
}

// False: there are none, or no room.
bool Workers::read_batch() {
  // Held while the place is taken, too: pieces get their places in the order of the inputs.
  std::unique_lock lock{source_};
  TurnOutput* const output = ended_ ? nullptr : turns_.begin();
  if (!output) return false;
  Batch batch;
  try {
    batch = take();
  } catch (...) {
    turns_.end(*output, Step::stop);
    throw;
  }
  ended_ = batch.empty();
  nr_pieces_ += batch.size();
  const bool has_more = !ended_ && (nr_pieces_ > small_pieces || text_bytes_ > small_bytes);
  lock.unlock();
  if (has_more) helpers_.start(1);
  if (batch.empty()) turns_.no_more_pieces();
  Step step = Step::stop;
  std::size_t size = 0;
  try {
    step = batch.empty() ? Step::go : read(batch, *output);
    size = output->size();
  } catch (...) {
    turns_.stop();
    turns_.end(*output, Step::stop);
    throw;
  }
  text_bytes_ += size;
  if (!batch.empty()) bytes_per_piece_ = std::max(size / batch.size(), bytes_per_piece_ / 2);
  turns_.end(*output, step);
  return !batch.empty();
}

// The receiver is gone before its output is.
Step Workers::read(const Batch& batch, TurnOutput& output) {
  const auto receiver = makers_.piece(output, [&](const Error& error) { output.report(error); });
  Sharing sharing{*this, *receiver, output};
  Selected selected{selection_, sharing};
  Step step = Step::go;
  for (const auto& piece : batch)
    if ((step = piece->read(selected)) == Step::stop) break;
  if (selected.any()) any_ = true;
  return step;
}

void Workers::decode_shared(TurnOutput& piece) {
  ChunkWork chunk;
  do {
    while (turns_.claim(chunk)) decode(chunk);
  } while (turns_.wait_for_chunk(piece));
}

// What is not good is decoded again, by who has the piece.
void Workers::decode(ChunkWork& work) {
  if (work.has_more) helpers_.start(1);
  try {
    if (!work.is_settled) {
      work.image->fill(*work.chunk);
      if (!turns_.end_fill(work)) return;
    }
    bool good = work.image->complete(*work.chunk);
    if (good) {
      const Member& member = work.image->member();
      const auto receiver = makers_.chunk(*work.output, [&](const Error&) { good = false; });
      Step step = receiver->resume(member, work.chunk->at);
      if (step == Step::go) step = receiver->bytes(member, work.chunk->bytes);
      good = good && step == Step::go && !receiver->has_enough(member);
      work.nr_selected = receiver->nr_selected();
    }
    turns_.end_chunk(work, good);
  } catch (...) {
    turns_.give_up(work);
    throw;
  }
}

// Is there nothing that several threads could do?
bool is_small(const std::vector<std::string>& inputs) {
  struct stat status;
  if (inputs.size() > 1 || inputs[0] == "-" || stat(inputs[0].c_str(), &status) != 0) return false;
  return S_ISREG(status.st_mode) && static_cast<std::size_t>(status.st_size) < (std::size_t{64} << 10);
}

}  // namespace

void on_threads(Program& program, std::size_t most, const std::function<void()>& work) {
  const std::size_t threads = std::min<std::size_t>(threads_of(program, "jobs"), std::max<std::size_t>(most, 1));
  Failure failure;
  const auto guarded = [&]() noexcept {
    try {
      work();
    } catch (...) {
      failure.keep();
    }
  };
  Helpers helpers{threads - 1, guarded};
  helpers.start(threads - 1);
  guarded();
  helpers.join();
  failure.rethrow();
}

void read_inputs(Program& program, Output& output, const Makers& makers, const SourceOptions& options) {
  const std::size_t threads = std::min<std::size_t>(threads_of(program, "jobs"), makers.most_threads);
  const auto inputs = program.inputs();
  if (threads == 1 || is_small(inputs)) {
    const auto receiver = makers.piece(output, [&](const Error& error) {
      if (output.flush() == Step::go) program.report(error);
    });
    (void)read_inputs(program, *receiver, options);
    return;
  }
  SourceOptions reading = options;  // several inputs: on all threads as it is
  if (inputs.size() > 1) reading.threads = 1;
  Workers{program, output, makers, reading, threads}.run();
}

}  // namespace critpipe::filters
