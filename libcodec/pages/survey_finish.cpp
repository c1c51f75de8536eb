// The pages of directories, and the join of pages with pagemaps.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include "pages/survey.hpp"

namespace critpipe {

namespace {

constexpr std::size_t read_bytes = 64 << 10;               // with what is computed from it, fits in the second cache
constexpr std::uint64_t parts_of_read = read_bytes / smallest_page;
constexpr std::uint64_t parts_of_block = CompressionSample::block_bytes / smallest_page;
static_assert(FactStore::chunk_pages % parts_of_read == 0 && parts_of_read % parts_of_block == 0);

class OpenImage {
 public:
  explicit OpenImage(const std::string& path) : fd_{open(path.c_str(), O_RDONLY | O_CLOEXEC)} {}
  ~OpenImage() { if (fd_ >= 0) close(fd_); }
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

// Reads of at most parts_of_read pages that cover all of [first, first + count) but the holes of the file.
std::vector<std::uint64_t> reads_of(int fd, std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> reads;
  const std::uint64_t end = first + count;
  for (std::uint64_t at = first; at < end;) {
    const off_t data = lseek(fd, static_cast<off_t>(at * smallest_page), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;               // only a hole is left
    if (data >= 0) at = std::max(at, static_cast<std::uint64_t>(data) / read_bytes * parts_of_read);
    if (at >= end) break;
    const off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
    const std::uint64_t until = hole < 0 ? end : std::min<std::uint64_t>(end, (static_cast<std::uint64_t>(hole) + smallest_page - 1) / smallest_page);
    for (; at < until; at += parts_of_read) reads.push_back(at);
  }
  return reads;
}

struct Scan {
  int fd;
  std::uint64_t end;                     // of the pages that count, in smallest pages
  std::uint64_t first_block;             // number of the image's first block for the sample
  FactStore& facts;
  std::span<const std::uint64_t> reads;
  std::atomic<std::size_t> next{0};
  std::atomic<int> error{0};
  std::atomic<std::uint64_t> short_at{~std::uint64_t{0}};

  void run(CompressionSample& sample) {
    std::vector<std::byte> bytes(read_bytes);
    for (std::size_t i; error == 0 && (i = next++) < reads.size();) {
      const std::uint64_t first = reads[i];
      const std::uint64_t count = std::min(parts_of_read, end - first);
      const ssize_t size = read_at(fd, {bytes.data(), count * smallest_page}, first * smallest_page);
      if (size < 0) error = errno;
      const std::uint64_t got = size < 0 ? 0 : static_cast<std::uint64_t>(size) / smallest_page;
      if (got < count) {
        std::uint64_t known = short_at;
        while (first + got < known && !short_at.compare_exchange_weak(known, first + got)) {}
      }
      scan_pages({bytes.data(), got * smallest_page}, facts.chunk(first / FactStore::chunk_pages) + first % FactStore::chunk_pages);
      for (std::uint64_t part = 0; part < got; part += parts_of_block) {
        const std::uint64_t block = first_block + (first + part) / parts_of_block;
        if (CompressionSample::takes(block))
          sample.add(block, Bytes{bytes}.subspan(part * smallest_page, std::min(parts_of_block, got - part) * smallest_page));
      }
    }
  }
};

}  // namespace

// Fills the facts window by window; `ready` says that a window is there. Stops at an error.
void SurveyWork::scan_file(SetState& state, SurveyedPages& image, std::uint64_t nr_parts, DistinctPages& counter,
                                 const std::function<void(std::uint64_t, std::uint64_t)>& ready) {
  const OpenImage file{image.place};
  if (file.fd() < 0) {
    report(system_error(Reason::io_open, image.place, errno));
    return;
  }
  // What the file really holds; its length may be mostly a hole.
  if (struct stat status; fstat(file.fd(), &status) == 0)
    counter.expect(std::min(nr_parts, static_cast<std::uint64_t>(status.st_blocks) / (smallest_page / 512)));
  const std::uint64_t first_block = state.nr_blocks;
  state.nr_blocks += (nr_parts + parts_of_block - 1) / parts_of_block;
  for (std::uint64_t first = 0; first < nr_parts; first += FactStore::chunk_pages) {
    const std::uint64_t count = std::min<std::uint64_t>(FactStore::chunk_pages, nr_parts - first);
    const auto reads = reads_of(file.fd(), first, count);
    image.facts.grow(first + count);
    if (!reads.empty()) (void)image.facts.chunk(first / FactStore::chunk_pages);
    Scan scan{file.fd(), nr_parts, first_block, image.facts, reads};
    const std::size_t nr_threads = std::min<std::size_t>(options.nr_threads, reads.size() / 8 + 1);
    std::vector<CompressionSample> samples(nr_threads - 1);
    {
      std::vector<std::jthread> threads;
      for (CompressionSample& sample : samples) threads.emplace_back([&] { scan.run(sample); });
      scan.run(state.sample);
    }
    for (const CompressionSample& sample : samples) state.sample.merge(sample);
    if (scan.error != 0) {
      image.complete = false;
      report(system_error(Reason::io_read, image.place, scan.error));
      return;
    }
    std::uint64_t there = count;
    for (const std::uint64_t read : reads) there -= std::min(parts_of_read, nr_parts - read);
    image.contents.holes += there;
    ready(first, std::min(count, scan.short_at - std::min<std::uint64_t>(scan.short_at, first)));
    if (!options.keep_facts) image.facts.drop(first / FactStore::chunk_pages);
    done_bytes += count * smallest_page;
    if (options.progress) options.progress(done_bytes, all_bytes);
    if (scan.short_at != ~std::uint64_t{0}) return;
  }
}

// Facts of one image to sums: those of the pages that the pagemap claims; without one, of all.
void SurveyWork::count(SetState& state, SurveyedMemory* memory, SurveyedPages& image) {
  const std::uint64_t page_size = state.set->page_size;
  const std::uint64_t parts = page_size / smallest_page;
  const std::uint64_t there = image.size_bytes / page_size;
  const std::uint64_t nr_pages = memory ? std::min(memory->pagemap.nr_present, there) : there;
  ContentTotals totals;
  DistinctPages::Member member;
  DistinctPages alone{options.budget_bytes};             // what nobody claims is not compared with the others
  DistinctPages& counter = memory ? distinct : alone;
  counter.begin_member(member);
  std::vector<PageFact> pages;
  const auto take = [&](std::uint64_t first, std::uint64_t nr_parts) {
    for (std::uint64_t page = first / parts; page < (first + nr_parts) / parts; page += pages.size()) {
      pages.resize(std::min<std::uint64_t>(256, (first + nr_parts) / parts - page));
      for (std::size_t i = 0; i < pages.size(); ++i) pages[i] = image.facts.page(page + i, parts);
      for (const PageFact& fact : pages) ++totals.classes[static_cast<std::size_t>(fact.page_class)];
      totals.scanned += pages.size();
      counter.add(member, pages);
    }
  };
  if (image.on_disk) scan_file(state, image, nr_pages * parts, counter, take);
  else take(0, nr_pages * parts);
  const auto count = DistinctPages::count(member);
  totals.zero = totals.classes[0];
  totals.holes = image.contents.holes;
  totals.distinct = std::min(count.pages, totals.scanned);
  totals.exact = count.exact;
  totals.shared = member.shared;
  if (!memory) {
    image.contents = totals;
    return;
  }
  memory->contents = totals;
  state.set->contents.add(totals);
}

void SurveyWork::finish(SetState& state) {
  SurveyedSet& set = *state.set;
  set.checkpoint->finish(state.place);
  set.page_size = options.page_size != 0 ? options.page_size : set.checkpoint->page_size();
  for (auto& [id, memory] : set.memories) {
    set.totals.add(memory.totals);
    const auto image = set.images.find(memory.pagemap.pages_id);
    if (image != set.images.end()) image->second.claimed = true;
  }
  if (!options.contents) return;
  distinct.begin_set(state.distinct);
  for (auto& [id, memory] : set.memories) {
    const auto image = set.images.find(memory.pagemap.pages_id);
    if (image != set.images.end()) {
      count(state, &memory, image->second);
    } else {
      memory.contents.emplace();
      if (memory.pagemap.nr_present == 0) continue;
      Error error{Reason::missing_image, state.place + pages_name(memory.pagemap.pages_id)};
      report(error);
    }
  }
  const auto all = DistinctPages::count(state.distinct);
  set.contents.distinct = std::min(all.pages, set.contents.scanned);
  set.contents.exact = all.exact;
  set.zstd = state.sample.zstd(state.nr_blocks);
  set.lz4 = state.sample.lz4(state.nr_blocks);
  contents.add(set.contents);
  for (auto& [pages_id, image] : set.images)
    if (!image.claimed) count(state, nullptr, image);
  if (options.keep_facts) return;
  for (auto& [pages_id, image] : set.images) image.facts = {};
}

}  // namespace critpipe
