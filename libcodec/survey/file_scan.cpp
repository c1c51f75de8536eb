// Pages images in files.
#include "survey/file_scan.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

namespace critpipe {

namespace {

constexpr std::size_t read_bytes = 64 << 10;  // with what is computed from it, fits in the second cache
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

// The reads of one chunk, shared out among threads.
struct SharedReads {
  const PagesImage& image;
  std::uint64_t end;          // of the pages that count, in smallest pages
  std::uint64_t first_block;  // number of the image's first block for the sample
  PageFacts::Chunks& facts;
  std::span<const std::uint64_t> reads;
  std::size_t at_once = 1;  // reads that one thread takes, so that it decodes a block only once
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex{};                      // of what follows
  Error error{};                           // the first
  std::vector<std::uint64_t> unsampled{};  // first pages of blocks that a thread had no memory to compress
  std::atomic<std::uint64_t> short_at{~std::uint64_t{0}};

  // Until all reads are done. A thread that lacks memory for its buffer leaves them to the others.
  void work(CompressionSample* sample, Compressors& compressors) noexcept;
  void fail(Error why);
  void read(std::uint64_t first, std::span<std::byte> bytes, CompressionSample* sample, Compressors& compressors);
  // By one thread, after the others have ended and given their memory back.
  void sample_the_rest(CompressionSample& sample, Compressors& compressors);
};

void SharedReads::work(CompressionSample* sample, Compressors& compressors) noexcept {
  std::size_t i = reads.size();
  try {
    std::vector<std::byte> bytes(read_bytes);
    while (!failed && (i = next.fetch_add(at_once)) < reads.size())
      for (const std::size_t end = std::min(reads.size(), i + at_once); !failed && i < end; ++i)
        read(reads[i], bytes, sample, compressors);
  } catch (const std::bad_alloc&) {
    if (i < reads.size()) fail(system_error(Reason::io_read, image.place(), ENOMEM));
  }
}

void SharedReads::fail(Error why) {
  const std::scoped_lock lock{mutex};
  if (!failed.exchange(true)) error = std::move(why);
}

void SharedReads::read(std::uint64_t first, std::span<std::byte> bytes, CompressionSample* sample,
                       Compressors& compressors) {
  const std::uint64_t count = std::min(parts_of_read, end - first);
  std::uint64_t got = 0;
  if (Error why = image.read_pages(first, bytes.first(count * smallest_page), got)) fail(std::move(why));
  if (got < count) {
    std::uint64_t known = short_at;
    while (first + got < known && !short_at.compare_exchange_weak(known, first + got)) {
    }
  }
  constexpr std::uint64_t chunk_pages = PageFacts::Chunks::chunk_pages;
  scan_pages(bytes.first(got * smallest_page), facts.chunk(first / chunk_pages, 0) + first % chunk_pages);
  for (std::uint64_t part = 0; part < got; part += parts_of_block) {
    const std::uint64_t block = first_block + (first + part) / parts_of_block;
    if (!sample || !CompressionSample::takes(block)) continue;
    try {
      sample->add(block, bytes.subspan(part * smallest_page, std::min(parts_of_block, got - part) * smallest_page),
                  compressors);
    } catch (const std::bad_alloc&) {
      const std::scoped_lock lock{mutex};
      unsampled.push_back(first + part);
    }
  }
}

void SharedReads::sample_the_rest(CompressionSample& sample, Compressors& compressors) try {
  std::vector<std::byte> bytes(CompressionSample::block_bytes);
  for (const std::uint64_t first : unsampled) {
    const auto count = std::min({parts_of_block, end - first, short_at - first});
    std::uint64_t got = 0;
    if (Error why = image.read_pages(first, std::span{bytes}.first(count * smallest_page), got))
      return fail(std::move(why));
    sample.add(first_block + first / parts_of_block, std::span{bytes}.first(got * smallest_page), compressors);
  }
} catch (const std::bad_alloc&) {
  fail(system_error(Reason::io_read, image.place(), ENOMEM));
}

// With as many threads as there are to be had, at least this one.
void share_out(SharedReads& reads, std::size_t nr_threads, CompressionSample* sample, Compressors& compressors) {
  std::vector<CompressionSample> samples(nr_threads - 1);
  {
    std::vector<std::jthread> threads;
    try {
      for (CompressionSample& own : samples)
        threads.emplace_back([&] {
          Compressors its_own;
          reads.work(sample ? &own : nullptr, its_own);
        });
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
    reads.work(sample, compressors);
  }
  if (!reads.failed && reads.next < reads.reads.size())
    reads.fail(system_error(Reason::io_read, reads.image.place(), ENOMEM));
  if (!sample) return;
  if (!reads.failed && !reads.unsampled.empty()) reads.sample_the_rest(*sample, compressors);
  for (const CompressionSample& own : samples) sample->merge(own);
}

}  // namespace

std::uint64_t FileScan::nr_blocks() const { return (nr_parts + parts_of_block - 1) / parts_of_block; }

Error FileScan::run(const std::function<void(std::uint64_t)>& stored,
                    const std::function<void(std::uint64_t, std::uint64_t, std::uint64_t)>& ready) {
  // Its length may be mostly a hole.
  const std::uint64_t nr_stored = image.nr_allocated();
  stored(std::min(nr_parts, nr_stored));
  Extents extents{image, nr_stored < nr_parts};
  Compressors unused;
  constexpr std::uint64_t chunk_pages = PageFacts::Chunks::chunk_pages;
  for (std::uint64_t first = 0; first < nr_parts;) {
    // Chunks without data are passed over at once, however many there are.
    const std::uint64_t data = extents.data_from(first);
    const std::uint64_t next = data < nr_parts ? data / chunk_pages * chunk_pages : nr_parts;
    if (next > first) {
      facts.grow(next);
      ready(first, next - first, next - first);
      first = next;
      continue;
    }
    const std::uint64_t count = std::min(chunk_pages, nr_parts - first);
    const auto reads = extents.reads(first, count);
    facts.grow(first + count);
    (void)facts.chunk(first / chunk_pages, count);
    SharedReads shared{image, first + count, first_block,
                       facts, reads,         std::max<std::size_t>(1, image.nr_pages_at_once() / parts_of_read)};
    share_out(shared, std::min<std::size_t>(nr_threads, reads.size() / 8 + 1), sample,
              compressors ? *compressors : unused);
    if (shared.failed) return shared.error;
    std::uint64_t nr_holes = count;
    for (const std::uint64_t read : reads) nr_holes -= std::min(parts_of_read, first + count - read);
    const std::uint64_t end = std::min<std::uint64_t>(shared.short_at, first + count);
    ready(first, end - first, nr_holes);
    if (end < first + count) return StoredSize::of(end, smallest_page).cut(image.place(), nr_parts, smallest_page);
    first += count;
  }
  return {};
}

Error scan_pages(const PagesImage& image, unsigned nr_threads, PageFacts& facts) {
  FileScan scan{image, image.nr_pages(), nr_threads, facts.chunks()};
  return scan.run([](std::uint64_t) {}, [](std::uint64_t, std::uint64_t, std::uint64_t) {});
}

}  // namespace critpipe
