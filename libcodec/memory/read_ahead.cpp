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

class ReadAhead {
 public:
  ReadAhead(const std::vector<MemoryWork::Piece>& pieces, unsigned nr_threads)
      : pieces_{pieces}, ring_(std::min<std::size_t>(most_ahead, std::size_t{2} * nr_threads)) {
    while (threads_.size() < nr_threads && start_thread(threads_, [this] { work(); })) {
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
  bool has_threads() const { return !threads_.empty(); }
  Error deliver(const MemoryWork::TakePiece& take);

 private:
  bool next(Chunk& chunk);
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
  bool is_over_ = false, failed_ = false;
  std::vector<std::thread> threads_;
};

// The next chunk, whole blocks where they are compressed. False: there is none. Requires: the mutex is held.
bool ReadAhead::next(Chunk& chunk) {
  if (piece_ == pieces_.size()) return false;
  chunk.parts.clear();
  std::uint64_t all = 0;
  while (piece_ < pieces_.size()) {
    const MemoryWork::Piece& piece = pieces_[piece_];
    Error error;
    const PagesImage* const image = piece.image(error);
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
  return true;
}

void ReadAhead::read(Chunk& chunk) const {
  std::span<std::byte> rest{chunk.room};
  chunk.nr_read = 0;
  for (Chunk::Part& part : chunk.parts) {
    if (chunk.error) return;
    const MemoryWork::Piece& piece = pieces_[part.piece];
    const std::uint64_t skip = piece.skip + part.done;
    chunk.image->read_content(content_position(piece.stretch.page, chunk.image->page_size(), skip),
                              rest.first(part.size), [&](std::size_t begin, std::size_t, const Error& error) {
                                if (chunk.error) return;
                                chunk.error = error;
                                part.size = begin;
                              });
    chunk.nr_read += part.size > 0;
    rest = rest.subspan(part.size);
  }
}

// Without memory, who asked for the bytes is told.
void ReadAhead::work() noexcept try {
  std::unique_lock lock{mutex_};
  for (;;) {
    room_.wait(lock, [this] { return is_over_ || piece_ == pieces_.size() || begun_ - taken_ < ring_.size(); });
    if (is_over_) return;
    Chunk& chunk = ring_[begun_ % ring_.size()];
    if (!next(chunk)) return;
    ++begun_;
    lock.unlock();
    read(chunk);
    lock.lock();
    chunk.is_read = true;
    ready_.notify_one();
  }
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
    ready_.wait(lock, [&] { return failed_ || (taken_ == begun_ && piece_ == pieces_.size()) || chunk.is_read; });
    if (failed_) throw std::bad_alloc{};
    if (!chunk.is_read) return {};
    lock.unlock();
    Bytes rest{chunk.room};
    for (const Chunk::Part& part : std::span{chunk.parts}.first(chunk.nr_read)) {
      if (take(pieces_[part.piece], part.done, rest.first(part.size)) == Step::stop) return {};
      rest = rest.subspan(part.size);
    }
    if (chunk.error) return chunk.error;
    lock.lock();
    chunk.is_read = false;
    ++taken_;
    room_.notify_one();
  }
}

}  // namespace

Error read_ahead(const std::vector<MemoryWork::Piece>& pieces, unsigned nr_threads, const MemoryWork::TakePiece& take,
                 bool& is_done) {
  is_done = false;
  if (pieces.empty() || nr_threads < 2 || !std::ranges::all_of(pieces, &MemoryWork::Piece::has_position)) return {};
  ReadAhead ahead{pieces, nr_threads};
  if (!ahead.has_threads()) return {};
  is_done = true;
  return ahead.deliver(take);
}

}  // namespace critpipe
