#include "memory/read_ahead.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>

#include "base/start_thread.hpp"

namespace critpipe {

namespace {

constexpr std::size_t most_ahead = 12;  // chunks: a PageDirectory keeps 15 images open

// Pieces of one image, or a part of one. Small ones go together: a thread is not woken for each.
struct Chunk {
  struct Part {
    std::size_t piece = 0;
    std::uint64_t done = 0;  // bytes of the piece before it
    std::size_t size = 0;
  };
  std::vector<Part> parts = {};
  std::size_t nr_read = 0;           // parts
  std::vector<std::byte> room = {};  // grows only, so that it is not cleared each time
  const PagesImage* image = nullptr;
  Error error = {};
  bool is_read = false;
};

// Who takes the bytes is one of the threads: it reads whatever is next while nothing is ready for it.
class ReadAhead {
 public:
  ReadAhead(const std::vector<MemoryWork::Piece>& pieces, unsigned nr_threads)
      : pieces_{pieces}, ring_(nr_threads < 2 ? 1 : std::min<std::size_t>(most_ahead, std::size_t{2} * nr_threads)) {
    while (threads_.size() + 1 < nr_threads && start_thread(threads_, [this] { work(); })) {
    }
  }
  ~ReadAhead() {
    {
      const std::scoped_lock lock{mutex_};
      is_over_ = true;
    }
    room_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Error deliver(const MemoryWork::TakePiece& take);

 private:
  const PagesImage* image_of(const MemoryWork::Piece& piece, Error& error);
  void fill(Chunk& chunk);
  bool read_next(std::unique_lock<std::mutex>& lock);
  std::uint64_t position_of(const Chunk::Part& part, std::uint64_t page_size) const {
    const MemoryWork::Piece& piece = pieces_[part.piece];
    return content_position(piece.stretch.page, page_size, piece.skip + part.done);
  }
  void read(Chunk& chunk) const;
  void work() noexcept;

  const std::vector<MemoryWork::Piece>& pieces_;
  std::mutex mutex_;
  std::condition_variable room_, ready_;
  std::vector<Chunk> ring_;
  std::size_t taken_ = 0;  // chunks that were handed on
  std::size_t begun_ = 0;  // that are being read, or were
  std::size_t piece_ = 0;  // what comes next
  std::uint64_t done_ = 0;
  const MemoryWork::Piece* asked_ = nullptr;  // whose image this is
  const PagesImage* image_ = nullptr;
  bool is_over_ = false, failed_ = false;
  std::vector<std::thread> threads_;
};

// Pieces of one image follow one another, mostly.
const PagesImage* ReadAhead::image_of(const MemoryWork::Piece& piece, Error& error) {
  const auto has_same_image = [&piece](const MemoryWork::Piece& other) {
    return piece.directory == other.directory && piece.archive == other.archive &&
           piece.stretch.pages_id == other.stretch.pages_id && piece.stretch.memory == other.stretch.memory;
  };
  if (!image_ || !has_same_image(*asked_)) image_ = piece.image(error);
  asked_ = &piece;
  return image_;
}

// Whole blocks, where they are compressed. Requires: the mutex is held, and there is a piece.
void ReadAhead::fill(Chunk& chunk) {
  chunk.parts.clear();
  std::uint64_t all = 0;
  while (piece_ < pieces_.size()) {
    const MemoryWork::Piece& piece = pieces_[piece_];
    Error error;
    const PagesImage* const image = image_of(piece, error);
    if (!chunk.parts.empty() && (!image || image != chunk.image)) break;
    std::uint64_t most = block_bytes;
    if (image) most = std::max(most, bytes_of_pages(image->nr_pages_at_once(), piece.set->page_size));
    const std::uint64_t size = std::min(most, piece.size - done_);
    if (!chunk.parts.empty() && all + size > block_bytes) break;
    chunk.image = image;
    chunk.error = std::move(error);
    chunk.parts.push_back({piece_, done_, static_cast<std::size_t>(size)});
    all += size;
    done_ += size;
    if (done_ < piece.size) break;
    ++piece_;
    done_ = 0;
  }
  if (chunk.room.size() < all) chunk.room.resize(all);
}

// Parts that are neighbours in the image are read as one.
void ReadAhead::read(Chunk& chunk) const {
  std::span<std::byte> rest{chunk.room};
  chunk.nr_read = 0;
  while (chunk.nr_read < chunk.parts.size() && !chunk.error) {
    const std::uint64_t page_size = chunk.image->page_size();
    const std::uint64_t position = position_of(chunk.parts[chunk.nr_read], page_size);
    std::size_t size = 0, end = chunk.nr_read;
    for (; end < chunk.parts.size() && position_of(chunk.parts[end], page_size) == position + size; ++end)
      size += chunk.parts[end].size;
    std::size_t good = size;
    chunk.image->read_content(position, rest.first(size), [&](std::size_t begin, std::size_t, const Error& error) {
      if (chunk.error) return;
      chunk.error = error;
      good = begin;
    });
    rest = rest.subspan(good);
    for (; chunk.nr_read < end; ++chunk.nr_read) {
      Chunk::Part& part = chunk.parts[chunk.nr_read];
      part.size = std::min(part.size, good);
      good -= part.size;
    }
  }
}

// False: there is no room for a chunk, or nothing more to read. Requires: the mutex is held, as it is in the end.
bool ReadAhead::read_next(std::unique_lock<std::mutex>& lock) {
  if (begun_ - taken_ == ring_.size() || piece_ == pieces_.size()) return false;
  const std::size_t number = begun_++;
  Chunk& chunk = ring_[number % ring_.size()];
  fill(chunk);
  lock.unlock();
  read(chunk);
  lock.lock();
  chunk.is_read = true;
  if (number == taken_) ready_.notify_one();
  return true;
}

// Without memory, who asked for the bytes is told.
void ReadAhead::work() noexcept try {
  std::unique_lock lock{mutex_};
  while (!is_over_ && (read_next(lock) || piece_ < pieces_.size()))
    room_.wait(lock, [this] { return is_over_ || piece_ == pieces_.size() || begun_ - taken_ < ring_.size(); });
} catch (const std::bad_alloc&) {
  const std::scoped_lock lock{mutex_};
  failed_ = is_over_ = true;
  ready_.notify_one();
  room_.notify_all();
}

Error ReadAhead::deliver(const MemoryWork::TakePiece& take) {
  std::unique_lock lock{mutex_};
  for (;;) {
    Chunk& chunk = ring_[taken_ % ring_.size()];
    while (!chunk.is_read && !failed_ && read_next(lock)) {
    }
    ready_.wait(lock, [&] { return failed_ || chunk.is_read || taken_ == begun_; });
    if (failed_) throw std::bad_alloc{};
    if (!chunk.is_read) return {};
    lock.unlock();
    Bytes rest{chunk.room};
    for (const Chunk::Part& part : std::span{chunk.parts}.first(chunk.nr_read)) {
      if (part.size > 0 && take(pieces_[part.piece], part.done, rest.first(part.size)) == Step::stop) return {};
      rest = rest.subspan(part.size);
    }
    if (chunk.error) return chunk.error;
    lock.lock();
    chunk.is_read = false;
    ++taken_;
    // No thread is woken for each chunk.
    if (begun_ - taken_ <= ring_.size() / 2) room_.notify_one();
  }
}

}  // namespace

Error read_ahead(const std::vector<MemoryWork::Piece>& pieces, unsigned nr_threads, const MemoryWork::TakePiece& take,
                 bool& is_done) {
  is_done = false;
  if (!std::ranges::all_of(pieces, &MemoryWork::Piece::has_position)) return {};
  is_done = true;
  ReadAhead ahead{pieces, nr_threads};
  return ahead.deliver(take);
}

}  // namespace critpipe
