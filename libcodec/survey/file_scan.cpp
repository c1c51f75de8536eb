// Pages images in files.
#include "survey/file_scan.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>

#include "base/start_thread.hpp"

namespace critpipe {

namespace {

constexpr std::size_t read_bytes = 64 << 10;  // with what is computed from it, fits in the second cache
constexpr std::size_t reads_at_once = 8;      // that a thread takes, and for which another one is worth its start
constexpr std::uint64_t parts_of_read = pages_in(read_bytes, smallest_page);
constexpr std::uint64_t parts_of_block = pages_in(CompressionSample::block_bytes, smallest_page);
static_assert(PageFacts::Chunks::chunk_pages % parts_of_read == 0 && parts_of_read % parts_of_block == 0);

// Where a file has data. Each place is asked for once, since some file systems look at every page up to the answer.
class Extents {
 public:
  Extents(const PagesImage& image, bool has_holes) : image_{image}, end_{has_holes ? 0 : ~std::uint64_t{0}} {}

  // Where the first data is that does not lie before the page, about.
  std::uint64_t data_from(std::uint64_t page) {
    if (page >= end_) seek(page);
    return std::max(page, begin_);
  }

  // Reads of at most parts_of_read pages that cover all of [first, first + count) but holes. `first` only grows.
  std::vector<std::uint64_t> reads(std::uint64_t first, std::uint64_t count) {
    std::vector<std::uint64_t> reads;
    const std::uint64_t end = first + count;
    for (std::uint64_t at = first; at < end;) {
      at = data_from(at);
      for (; at < std::min(end, end_); at += parts_of_read) reads.push_back(at);
    }
    return reads;
  }

 private:
  // The next one: its begin on a border of reads.
  void seek(std::uint64_t page) {
    const PagesImage::Extent next = image_.next_extent(page);
    begin_ = next.begin / parts_of_read * parts_of_read;
    end_ = next.end;
  }

  const PagesImage& image_;
  std::uint64_t begin_ = 0, end_;
};

// Pages that cannot be read.
struct LostPages {
  std::uint64_t begin, end;
};

// The reads of one chunk of facts.
struct ChunkReads {
  std::uint64_t first, end;  // pages
  PageFact* facts;           // of the first page and all that follow it
  std::vector<std::uint64_t> pages;
  // Of the threads, under their lock.
  std::size_t next = 0, nr_done = 0;
  std::uint64_t short_at = ~std::uint64_t{0};  // where the file ends
  std::vector<LostPages> lost = {};
  Error error = {};           // the first
  bool has_given_up = false;  // for want of memory

  bool is_done() const { return nr_done == pages.size(); }
  void give_up(Error why) {
    if (!error) error = std::move(why);
    has_given_up = true;
    nr_done += pages.size() - std::exchange(next, pages.size());
  }
};

// Threads that read chunks, those sent first before the others; the caller's thread where there is none.
class ScanThreads {
 public:
  explicit ScanThreads(const FileScan& scan)
      : scan_{scan}, at_once_{std::max<std::uint64_t>(reads_at_once, scan.image.nr_pages_at_once() / parts_of_read)} {}
  ~ScanThreads();

  bool is_enough() const { return chunks_.size() >= 3; }  // one is read to its end, one is begun, one is ready for all
  bool is_empty() const { return chunks_.empty(); }
  void send(std::unique_ptr<ChunkReads> chunk);
  std::unique_ptr<ChunkReads> receive();  // the next one, whose facts are there but where it has an error

 private:
  void work() noexcept;
  void work_here();
  void take_part(std::unique_lock<std::mutex>& lock, std::span<std::byte> bytes);
  struct Read {
    std::uint64_t nr_pages;  // as far as the file has them
    std::vector<LostPages> lost = {};
    Error error = {};  // of the first of them
  };
  Read read(const ChunkReads& chunk, std::uint64_t page, std::span<std::byte> bytes) const;
  void take_sample(const ChunkReads& chunk, std::uint64_t first, Bytes bytes, const std::vector<LostPages>& lost);
  ChunkReads* unread() const;

  const FileScan& scan_;
  const std::size_t at_once_;  // reads that a thread takes: all of a compressed block, so that it is decoded once
  std::deque<std::unique_ptr<ChunkReads>> chunks_;
  std::vector<std::thread> threads_;
  std::mutex sample_mutex_;
  std::mutex mutex_;  // of what follows, and of chunks_
  std::condition_variable sent_, done_;
  std::size_t nr_working_ = 0;  // threads that have not ended
  bool is_over_ = false;
};

ChunkReads* ScanThreads::unread() const {
  const auto found = std::ranges::find_if(chunks_, [](const auto& chunk) { return chunk->next < chunk->pages.size(); });
  return found == chunks_.end() ? nullptr : found->get();
}

void ScanThreads::send(std::unique_ptr<ChunkReads> chunk) {
  const std::size_t most = std::min<std::size_t>(scan_.nr_threads, chunk->pages.size() / reads_at_once + 1);
  {
    const std::scoped_lock lock{mutex_};
    chunks_.push_back(std::move(chunk));
  }
  sent_.notify_all();
  if (most == 1 && threads_.empty()) return;  // it takes less time than a thread does to start
  while (threads_.size() < most) {
    const std::scoped_lock lock{mutex_};
    if (!start_thread(threads_, [this] { work(); })) return;
    ++nr_working_;
  }
}

// A thread that lacks memory for its buffer leaves the work to the others.
void ScanThreads::work() noexcept {
  std::unique_lock lock{mutex_, std::defer_lock};
  try {
    std::vector<std::byte> bytes(read_bytes);
    lock.lock();
    for (;;) {
      sent_.wait(lock, [this] { return is_over_ || unread(); });
      if (is_over_) break;
      take_part(lock, bytes);
    }
  } catch (const std::bad_alloc&) {
    if (!lock.owns_lock()) lock.lock();
  }
  --nr_working_;
  done_.notify_one();
}

// The lock is held before and after.
void ScanThreads::take_part(std::unique_lock<std::mutex>& lock, std::span<std::byte> bytes) {
  ChunkReads& chunk = *unread();
  const std::size_t begin = chunk.next, end = std::min(chunk.pages.size(), begin + at_once_);
  chunk.next = end;
  lock.unlock();
  std::uint64_t short_at = ~std::uint64_t{0};
  std::vector<LostPages> lost;
  Error error;
  bool lacks_memory = false;
  try {
    for (std::size_t i = begin; i < end; ++i) {
      const std::uint64_t page = chunk.pages[i];
      Read got = read(chunk, page, bytes);
      if (got.nr_pages < std::min(parts_of_read, chunk.end - page)) short_at = std::min(short_at, page + got.nr_pages);
      if (scan_.sample) take_sample(chunk, page, bytes.first(got.nr_pages * smallest_page), got.lost);
      lost.insert(lost.end(), got.lost.begin(), got.lost.end());
      if (!error) error = std::move(got.error);
    }
  } catch (const std::bad_alloc&) {
    lacks_memory = true;
  }
  lock.lock();
  chunk.short_at = std::min(chunk.short_at, short_at);
  try {
    chunk.lost.insert(chunk.lost.end(), lost.begin(), lost.end());
  } catch (const std::bad_alloc&) {
    lacks_memory = true;
  }
  chunk.nr_done += end - begin;
  if (error && !chunk.error) chunk.error = std::move(error);
  if (lacks_memory) chunk.give_up(system_error(Reason::io_read, scan_.image.place(), ENOMEM));
  if (chunk.is_done()) done_.notify_one();
}

ScanThreads::Read ScanThreads::read(const ChunkReads& chunk, std::uint64_t page, std::span<std::byte> bytes) const {
  const std::uint64_t count = std::min(parts_of_read, chunk.end - page);
  Read got{count};
  scan_.image.read_content(
      content_position(page, smallest_page), bytes.first(count * smallest_page),
      [&](std::size_t begin, std::size_t end, const Error& error) {
        if (error.reason == Reason::cut_pages) {
          got.nr_pages = pages_in(begin, smallest_page);
          return;
        }
        got.lost.push_back({page + begin / smallest_page, page + pages_touched(end, smallest_page)});
        if (!got.error) got.error = error;
      });
  scan_pages(bytes.first(got.nr_pages * smallest_page), chunk.facts + (page - chunk.first));
  return got;
}

void ScanThreads::take_sample(const ChunkReads& chunk, std::uint64_t first, Bytes bytes,
                              const std::vector<LostPages>& lost) {
  for (; !bytes.empty(); first += parts_of_block) {
    const Bytes here = bytes.first(std::min(bytes.size(), CompressionSample::block_bytes));
    bytes = bytes.subspan(here.size());
    const std::uint64_t end = first + pages_in(here.size(), smallest_page);
    const bool is_lost = std::ranges::any_of(lost, [&](LostPages one) { return one.begin < end && one.end > first; });
    const std::span facts{chunk.facts + (first - chunk.first), chunk.facts + (end - chunk.first)};
    if (!is_lost && std::ranges::all_of(facts, &PageFact::is_zero)) continue;
    const auto place = CompressionSample::Place::of(scan_.pages_id, first / parts_of_block);
    const std::scoped_lock lock{sample_mutex_};
    scan_.sample->count(0, 1);
    if (!is_lost) scan_.sample->add(place, here);
  }
}

std::unique_ptr<ChunkReads> ScanThreads::receive() {
  {
    std::unique_lock lock{mutex_};
    done_.wait(lock, [this] { return chunks_.front()->is_done() || nr_working_ == 0; });
    if (!chunks_.front()->is_done()) {
      lock.unlock();
      work_here();
    }
  }
  const std::scoped_lock lock{mutex_};
  std::unique_ptr<ChunkReads> chunk = std::move(chunks_.front());
  chunks_.pop_front();
  return chunk;
}

void ScanThreads::work_here() try {
  std::vector<std::byte> bytes(read_bytes);
  std::unique_lock lock{mutex_};
  while (!chunks_.front()->is_done()) take_part(lock, bytes);
} catch (const std::bad_alloc&) {
  chunks_.front()->give_up(system_error(Reason::io_read, scan_.image.place(), ENOMEM));
}

ScanThreads::~ScanThreads() {
  {
    const std::scoped_lock lock{mutex_};
    is_over_ = true;
  }
  sent_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace

// While threads read chunks, this one finds out what is to be read and passes on what has come.
Error FileScan::run(const std::function<void(std::uint64_t)>& stored, const Ready& ready) {
  // Its length may be mostly a hole.
  const std::uint64_t nr_stored = image.nr_allocated();
  stored(std::min(nr_parts, nr_stored));
  if (sample) {
    sample->count(pages_touched(nr_parts, parts_of_block), 0);
    sample->make_room();  // before the threads take theirs
  }
  Extents extents{image, nr_stored < nr_parts};
  ScanThreads threads{*this};
  Error first;  // what is lost does not end it
  const auto receive = [&]() -> Error {
    const std::unique_ptr<ChunkReads> chunk = threads.receive();
    if (chunk->has_given_up) return chunk->error;
    if (!first) first = chunk->error;
    for (const LostPages& lost : chunk->lost) facts.lose(lost.begin, lost.end);
    std::uint64_t nr_holes = chunk->end - chunk->first;
    for (const std::uint64_t page : chunk->pages) nr_holes -= std::min(parts_of_read, chunk->end - page);
    const std::uint64_t end = std::min(chunk->short_at, chunk->end);
    ready(chunk->first, end - chunk->first, nr_holes);
    return end < chunk->end ? StoredSize::of(end, smallest_page).cut(image.place(), nr_parts, smallest_page) : Error{};
  };
  constexpr std::uint64_t chunk_pages = PageFacts::Chunks::chunk_pages;
  for (std::uint64_t first = 0; first < nr_parts;) {
    // Chunks without data are passed over at once, however many there are.
    const std::uint64_t data = extents.data_from(first);
    const std::uint64_t next = data < nr_parts ? data / chunk_pages * chunk_pages : nr_parts;
    while (!threads.is_empty() && (next > first || threads.is_enough()))
      if (Error error = receive()) return error;
    if (next > first) {
      facts.grow(next);
      ready(first, next - first, next - first);
      first = next;
      continue;
    }
    const std::uint64_t count = std::min(chunk_pages, nr_parts - first);
    facts.grow(first + count);
    threads.send(std::make_unique<ChunkReads>(
        ChunkReads{first, first + count, facts.chunk(first / chunk_pages, count), extents.reads(first, count)}));
    first += count;
  }
  while (!threads.is_empty())
    if (Error error = receive()) return error;
  return first;
}

Error scan_pages(const PagesImage& image, unsigned nr_threads, PageFacts& facts) {
  FileScan scan{image, image.nr_pages(), nr_threads, facts.chunks()};
  return scan.run([](std::uint64_t) {}, [](std::uint64_t, std::uint64_t, std::uint64_t) {});
}

}  // namespace critpipe
