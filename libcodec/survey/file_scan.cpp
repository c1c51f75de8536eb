// Pages images in files.
#include "survey/file_scan.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace critpipe {

namespace {

constexpr std::size_t read_bytes = 64 << 10;  // with what is computed from it, fits in the second cache
constexpr std::uint64_t parts_of_read = read_bytes / smallest_page;
constexpr std::uint64_t parts_of_block = CompressionSample::block_bytes / smallest_page;
static_assert(PageFacts::Store::chunk_pages % parts_of_read == 0 && parts_of_read % parts_of_block == 0);

class OpenImage {
 public:
  explicit OpenImage(const std::string& path) : fd_{open(path.c_str(), O_RDONLY | O_CLOEXEC)} {}
  ~OpenImage() {
    if (fd_ >= 0) close(fd_);
  }
  OpenImage(const OpenImage&) = delete;
  OpenImage& operator=(const OpenImage&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Reads at `offset` until `into` is full or the file ends. Returns how much, or -1 with errno.
ssize_t read_at(int fd, std::span<std::byte> into, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t size = pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return -1;
    if (size == 0) break;
    done += static_cast<std::size_t>(size);
  }
  return static_cast<ssize_t>(done);
}

// Where a file has data. Each place is asked for once, since some file systems look at every page up to the answer.
class Extents {
 public:
  Extents(int fd, bool has_holes) : fd_{fd}, end_{has_holes ? 0 : ~std::uint64_t{0}} {}

  // Reads of at most parts_of_read pages that cover all of [first, first + count) but holes. `first` only grows.
  std::vector<std::uint64_t> reads(std::uint64_t first, std::uint64_t count) {
    std::vector<std::uint64_t> reads;
    const std::uint64_t end = first + count;
    for (std::uint64_t at = first; at < end;) {
      if (at >= end_) seek(at);
      at = std::max(at, begin_);
      for (; at < std::min(end, end_); at += parts_of_read) reads.push_back(at);
    }
    return reads;
  }

 private:
  // The next extent at or after a page, in pages: its begin on a border of reads.
  void seek(std::uint64_t page) {
    const off_t data = lseek(fd_, static_cast<off_t>(page * smallest_page), SEEK_DATA);
    const off_t hole = data < 0 ? -1 : lseek(fd_, data, SEEK_HOLE);
    end_ = hole < 0 ? ~std::uint64_t{0} : (static_cast<std::uint64_t>(hole) + smallest_page - 1) / smallest_page;
    if (data >= 0) begin_ = static_cast<std::uint64_t>(data) / read_bytes * parts_of_read;
    else if (errno == ENXIO) begin_ = end_;  // only a hole is left
  }

  int fd_;
  std::uint64_t begin_ = 0, end_;
};

// The reads of one chunk, shared out among threads.
struct SharedReads {
  int fd;
  std::uint64_t end;          // of the pages that count, in smallest pages
  std::uint64_t first_block;  // number of the image's first block for the sample
  PageFacts::Store& facts;
  std::span<const std::uint64_t> reads;
  std::atomic<std::size_t> next{0};
  std::atomic<int> error{0};
  std::atomic<std::uint64_t> short_at{~std::uint64_t{0}};

  // Until all reads are done. A thread that lacks memory for its buffer leaves them to the others.
  void work(CompressionSample* sample) noexcept;
  void read(std::uint64_t first, std::span<std::byte> bytes, CompressionSample* sample);
};

void SharedReads::work(CompressionSample* sample) noexcept {
  std::size_t i = reads.size();
  try {
    std::vector<std::byte> bytes(read_bytes);
    while (error == 0 && (i = next++) < reads.size()) read(reads[i], bytes, sample);
  } catch (const std::bad_alloc&) {
    if (i < reads.size()) error = ENOMEM;
  }
}

void SharedReads::read(std::uint64_t first, std::span<std::byte> bytes, CompressionSample* sample) {
  const std::uint64_t count = std::min(parts_of_read, end - first);
  const ssize_t size = read_at(fd, bytes.first(count * smallest_page), first * smallest_page);
  if (size < 0) error = errno;
  const std::uint64_t got = size < 0 ? 0 : static_cast<std::uint64_t>(size) / smallest_page;
  if (got < count) {
    std::uint64_t known = short_at;
    while (first + got < known && !short_at.compare_exchange_weak(known, first + got)) {
    }
  }
  constexpr std::uint64_t chunk_pages = PageFacts::Store::chunk_pages;
  scan_pages(bytes.first(got * smallest_page), facts.chunk(first / chunk_pages) + first % chunk_pages);
  for (std::uint64_t part = 0; part < got; part += parts_of_block) {
    const std::uint64_t block = first_block + (first + part) / parts_of_block;
    if (sample && CompressionSample::takes(block))
      sample->add(block, bytes.subspan(part * smallest_page, std::min(parts_of_block, got - part) * smallest_page));
  }
}

// With as many threads as there are to be had, at least this one.
void share_out(SharedReads& reads, std::size_t nr_threads, CompressionSample* sample) {
  std::vector<CompressionSample> samples(nr_threads - 1);
  {
    std::vector<std::jthread> threads;
    try {
      for (CompressionSample& own : samples) threads.emplace_back([&] { reads.work(sample ? &own : nullptr); });
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
    reads.work(sample);
  }
  if (reads.error == 0 && reads.next < reads.reads.size()) reads.error = ENOMEM;
  if (!sample) return;
  for (const CompressionSample& own : samples) sample->merge(own);
}

}  // namespace

std::uint64_t FileScan::nr_blocks() const { return (nr_parts + parts_of_block - 1) / parts_of_block; }

Error FileScan::run(const std::function<void(std::uint64_t)>& stored,
                    const std::function<void(std::uint64_t, std::uint64_t, std::uint64_t)>& ready) {
  const OpenImage file{path};
  if (file.fd() < 0) return system_error(Reason::io_open, path, errno);
  // Its length may be mostly a hole.
  struct stat status;
  std::uint64_t nr_stored = 0;
  if (fstat(file.fd(), &status) == 0) nr_stored = static_cast<std::uint64_t>(status.st_blocks) / (smallest_page / 512);
  stored(std::min(nr_parts, nr_stored));
  Extents extents{file.fd(), nr_stored < nr_parts};
  for (std::uint64_t first = 0; first < nr_parts; first += PageFacts::Store::chunk_pages) {
    const std::uint64_t count = std::min<std::uint64_t>(PageFacts::Store::chunk_pages, nr_parts - first);
    const auto reads = extents.reads(first, count);
    facts.grow(first + count);
    if (!reads.empty()) (void)facts.chunk(first / PageFacts::Store::chunk_pages);
    SharedReads shared{file.fd(), first + count, first_block, facts, reads};
    share_out(shared, std::min<std::size_t>(nr_threads, reads.size() / 8 + 1), sample);
    if (shared.error != 0) return system_error(Reason::io_read, path, shared.error);
    std::uint64_t nr_holes = count;
    for (const std::uint64_t read : reads) nr_holes -= std::min(parts_of_read, first + count - read);
    const std::uint64_t end = std::min<std::uint64_t>(shared.short_at, first + count);
    ready(first, end - first, nr_holes);
    if (end < first + count)
      return {Reason::cut_pages,  path, end * smallest_page, Error::nowhere, nr_parts * smallest_page,
              end * smallest_page};
  }
  return {};
}

Error scan_pages_file(const std::string& path, unsigned nr_threads, PageFacts& facts) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return system_error(Reason::io_open, path, errno);
  FileScan scan{path, static_cast<std::uint64_t>(status.st_size) / smallest_page, nr_threads, facts.store()};
  return scan.run([](std::uint64_t) {}, [](std::uint64_t, std::uint64_t, std::uint64_t) {});
}

}  // namespace critpipe
