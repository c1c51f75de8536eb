// Pages images in files.
#include "survey/file_scan.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace critpipe {

namespace {

constexpr std::size_t read_bytes = 64 << 10;  // with what is computed from it, fits in the second cache
constexpr std::uint64_t parts_of_read = read_bytes / smallest_page;
constexpr std::uint64_t parts_of_block = CompressionSample::block_bytes / smallest_page;
static_assert(FactStore::chunk_pages % parts_of_read == 0 && parts_of_read % parts_of_block == 0);

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

// One window of a file, read by all threads.
struct Window {
  int fd;
  std::uint64_t end;          // of the pages that count, in smallest pages
  std::uint64_t first_block;  // number of the image's first block for the sample
  FactStore& facts;
  std::span<const std::uint64_t> reads;
  std::atomic<std::size_t> next{0};
  std::atomic<int> error{0};
  std::atomic<std::uint64_t> short_at{~std::uint64_t{0}};

  void run(CompressionSample* sample) {
    std::vector<std::byte> bytes(read_bytes);
    for (std::size_t i; error == 0 && (i = next++) < reads.size();) {
      const std::uint64_t first = reads[i];
      const std::uint64_t count = std::min(parts_of_read, end - first);
      const ssize_t size = read_at(fd, {bytes.data(), count * smallest_page}, first * smallest_page);
      if (size < 0) error = errno;
      const std::uint64_t got = size < 0 ? 0 : static_cast<std::uint64_t>(size) / smallest_page;
      if (got < count) {
        std::uint64_t known = short_at;
        while (first + got < known && !short_at.compare_exchange_weak(known, first + got)) {
        }
      }
      scan_pages({bytes.data(), got * smallest_page},
                 facts.chunk(first / FactStore::chunk_pages) + first % FactStore::chunk_pages);
      for (std::uint64_t part = 0; part < got; part += parts_of_block) {
        const std::uint64_t block = first_block + (first + part) / parts_of_block;
        if (sample && CompressionSample::takes(block))
          sample->add(block,
                      Bytes{bytes}.subspan(part * smallest_page, std::min(parts_of_block, got - part) * smallest_page));
      }
    }
  }
};

void run_window(Window& window, std::size_t nr_threads, CompressionSample* sample) {
  std::vector<CompressionSample> samples(nr_threads - 1);
  {
    std::vector<std::jthread> threads;
    for (CompressionSample& own : samples) threads.emplace_back([&] { window.run(sample ? &own : nullptr); });
    window.run(sample);
  }
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
  for (std::uint64_t first = 0; first < nr_parts; first += FactStore::chunk_pages) {
    const std::uint64_t count = std::min<std::uint64_t>(FactStore::chunk_pages, nr_parts - first);
    const auto reads = extents.reads(first, count);
    facts.grow(first + count);
    if (!reads.empty()) (void)facts.chunk(first / FactStore::chunk_pages);
    Window window{file.fd(), first + count, first_block, facts, reads};
    run_window(window, std::min<std::size_t>(nr_threads, reads.size() / 8 + 1), sample);
    if (window.error != 0) return system_error(Reason::io_read, path, window.error);
    std::uint64_t nr_holes = count;
    for (const std::uint64_t read : reads) nr_holes -= std::min(parts_of_read, first + count - read);
    const std::uint64_t end = std::min<std::uint64_t>(window.short_at, first + count);
    ready(first, end - first, nr_holes);
    if (end < first + count)
      return {Reason::cut_pages,  path, end * smallest_page, Error::nowhere, nr_parts * smallest_page,
              end * smallest_page};
  }
  return {};
}

Error scan_pages_file(const std::string& path, unsigned nr_threads, FactStore& facts) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return system_error(Reason::io_open, path, errno);
  FileScan scan{path, static_cast<std::uint64_t>(status.st_size) / smallest_page, nr_threads, facts};
  return scan.run([](std::uint64_t) {}, [](std::uint64_t, std::uint64_t, std::uint64_t) {});
}

}  // namespace critpipe
