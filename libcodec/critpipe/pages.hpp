// pages: Pagemaps, which list runs of pages, and pages images, which hold the bytes of the present ones.
//
//     pagemap-PID.img          := head{pages_id} entry{vaddr, nr_pages, flags}*     ascending, without overlaps
//     pagemap-shmem-ID.img     := the same for a shared object; vaddr counts from its start
//     pages-PAGES_ID.img       := page*                       of the present entries, in their order, without gaps
//
//     3/pagemap-7.img     | 0x1000: 2 pages, present | 0x3000: 4 pages, in the parent | 0x9000: 1 page, present |
//     3/pages-1.img       | page 0 | page 1          |                                | page 2                  |
//     3/parent -> ../2
//     2/pagemap-7.img     | 0x2000: 3 pages, present               | 0x5000: 9 pages, in the parent |   -> ../1
//
// CRIU has written three forms of entries: up to 3.4 `in_parent` only; then `flags`, which override it; since 4.2 the
// count is in `nr_pages`, and `compat_nr_pages` is 0. PagemapReader reads all of them. Entries of releases after 4.2
// may say that their pages are stored in LZ4 blocks. How they are stored only PagesImage and PagesSink know.
//
//     struct Lazy : PagemapSink {
//       std::uint64_t pages = 0;
//       Step runs(std::span<const PageRun> runs) override {
//         for (const PageRun& run : runs) pages += run.is_lazy() ? run.nr_pages : 0;
//         return Step::go;
//       }
//       void refused(const Error&) override {}
//     };
//
// Sources of the facts: criu/include/pagemap.h, criu/pagemap.c, criu/page-xfer.c.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/input_file.hpp"
#include "critpipe/image.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

struct Member;  // source.hpp
// How pages are stored; internal.
class CRITPIPE_INNER HeldPages;
class CRITPIPE_INNER PageLayout;
class CRITPIPE_INNER StoredPages;
class CRITPIPE_INNER BlockFeed;

// Pagemaps with more pages are refused: 32 PiB of the smallest pages. How large the pages are is often known only
// later, so that every position in the pages of one pagemap must fit with the largest ones, too.
constexpr std::uint64_t max_pages = std::uint64_t{1} << 43;
constexpr std::uint64_t smallest_page = 4096;  // every page size is this times a power of two
constexpr std::uint64_t largest_page = 1 << 20;
static_assert(max_pages <= ~std::uint64_t{0} / largest_page);
constexpr std::uint64_t max_address = ~(smallest_page - 1);        // the end of all ranges of addresses
constexpr std::uint64_t max_block_bytes = std::uint64_t{4} << 20;  // of pages that are compressed as one

// A power of two from smallest_page to largest_page.
constexpr bool is_page_size(std::uint64_t size) {
  return size >= smallest_page && size <= largest_page && (size & (size - 1)) == 0;
}
// The address `nr_pages` pages behind `vaddr`, at most max_address: what a pagemap says need not be possible.
constexpr std::uint64_t address_behind(std::uint64_t vaddr, std::uint64_t nr_pages, std::uint64_t page_size) {
  const std::uint64_t room = vaddr < max_address ? max_address - vaddr : 0;
  return nr_pages > room / page_size ? std::max(vaddr, max_address) : vaddr + nr_pages * page_size;
}
// Bytes of memory in whole pages, and in all pages that they touch; and the other way round, ~0 at the most.
constexpr std::uint64_t pages_in(std::uint64_t size_bytes, std::uint64_t page_size) { return size_bytes / page_size; }
constexpr std::uint64_t pages_touched(std::uint64_t size_bytes, std::uint64_t page_size) {
  return size_bytes / page_size + (size_bytes % page_size != 0);
}
// At most the largest number: more bytes than there can be.
constexpr std::uint64_t bytes_of_pages(std::uint64_t nr_pages, std::uint64_t page_size) {
  std::uint64_t size = 0;
  return __builtin_mul_overflow(nr_pages, page_size, &size) ? ~std::uint64_t{0} : size;
}

// How large a pages image is, or should be. The room `pages` knows how pages are stored; nobody else computes offsets
// and sizes of the file.
struct StoredSize {
  std::uint64_t bytes = 0;

  static StoredSize of(std::uint64_t nr_pages, std::uint64_t page_size);  // ~0 bytes at the most
  std::uint64_t nr_pages(std::uint64_t page_size) const;                  // whole ones
  bool is_whole(std::uint64_t page_size) const;                           // does it end with a whole page?
  // The error of an image of this size of which `nr_pages` are asked for.
  Error cut(std::string place, std::uint64_t nr_pages, std::uint64_t page_size) const;
};
// The content of a pages image is what its pages hold, one after the other, however they are stored. Where the byte
// `skip` of the page is in it. Requires: page <= max_pages.
constexpr std::uint64_t content_position(std::uint64_t page, std::uint64_t page_size, std::uint64_t skip = 0) {
  return page * page_size + skip;
}

// The consecutive pages of one pagemap entry.
struct PageRun {
  enum Flag : std::uint32_t { parent = 1, lazy = 2, present = 4, payload_aligned = 8 };  // as CRIU numbers them

  std::uint64_t vaddr = 0;
  std::uint64_t nr_pages = 0;
  std::uint64_t page = 0;   // number of its first page in the pages image; if not present, of the next present one
  std::uint32_t flags = 0;  // whichever form the entry has

  bool is_present() const { return flags & present; }  // takes room in the pages image
  bool is_parent() const { return flags & parent; }    // the content is in the parent, even if also present
  bool is_lazy() const { return flags & lazy; }        // left on the source of a lazy migration
  bool is_here() const { return (flags & (parent | present)) == present; }  // the content is in the pages image
  // The address behind the last page.
  std::uint64_t end(std::uint64_t page_size) const { return address_behind(vaddr, nr_pages, page_size); }
  // Number in the pages image of the page at this address. Requires: it is in the run.
  std::uint64_t page_at(std::uint64_t address, std::uint64_t page_size) const {
    return page + pages_in(address - vaddr, page_size);
  }
};

// Bytes that are adjacent in the content of a pages image and in memory.
struct PlacedBytes {
  std::uint64_t position = 0;  // in the content
  std::uint64_t size = 0;
  std::uint64_t address = 0;

  // Those at [begin, end) of pages that begin with number `page` at `vaddr`. Requires: vaddr <= begin <= end.
  static PlacedBytes of(std::uint64_t page, std::uint64_t vaddr, std::uint64_t page_size, std::uint64_t begin,
                        std::uint64_t end) {
    return {content_position(page, page_size, begin - vaddr), end - begin, begin};
  }
  std::uint64_t end() const { return position + size; }
};

// The memory that a pagemap describes: a task's or a shared object's.
struct MemoryId {
  bool shmem = false;
  std::uint64_t id = 0;  // pid; or shmid
  auto operator<=>(const MemoryId&) const = default;
};

// The memory of "pagemap-7.img" or "1/pagemap-shmem-9.img", the id of "pages-3.img"; nothing for other names. And the
// names that belong to them.
std::optional<MemoryId> memory_of_name(std::string_view name);
std::optional<std::uint64_t> pages_id_of_name(std::string_view name);
std::string pagemap_name(MemoryId memory);       // "pagemap-1.img", "pagemap-shmem-1.img"
std::string pages_name(std::uint64_t pages_id);  // "pages-1.img"
// Is it the name of a pages image, of either form?
bool is_pages_name(std::string_view name);
// The error of who would read a pages image that is there in compressed form only, "pages-3.comp.img"; none for others.
Error fault_of_pages(const Member& member);

// Turns the entries of one pagemap into runs. For one thread at a time.
class PagemapReader {
 public:
  // Whether the places of pages matter. To count pages, they need not be known.
  enum class Places : std::uint8_t { wanted, ignored };
  explicit PagemapReader(Places places = Places::wanted) : places_{places} {}
  // Takes the next entry. True: `run` is set. False: it was the head, and pages_id() is known now; or error() is set,
  // and no call may follow. Reasons: no_pagemap, limit_pages, bad_run, bad_blocks, limit_padded_blocks.
  bool next(const Entry& entry, PageRun& run);
  // The run of any entry but the head, unchecked and without `page`.
  static PageRun decoded(const Entry& entry);
  // The fast path for Sink::many: fills `runs` from canonical entries at the front of unchecked bytes, and shortens it
  // to the number of runs.
  Sink::Taken next_many(Bytes unchecked, std::uint64_t index, std::uint64_t offset, std::span<PageRun>& runs);

  std::uint64_t pages_id() const { return pages_id_; }
  // Totals of the runs so far.
  std::uint64_t nr_entries() const { return nr_entries_; }
  std::uint64_t nr_pages() const { return nr_pages_; }
  std::uint64_t nr_present() const { return next_page_; }  // stored in the pages image
  bool has_compressed() const { return has_compressed_; }
  bool ascending() const { return ascending_; }  // by address and without overlaps, at the smallest page size
  const Error& error() const { return error_; }  // offset and entry are set, image is not
  // How the pages so far are stored; null: all of them plain. Complete behind the last entry.
  std::shared_ptr<const PageLayout> layout() const { return layout_; }

 private:
  bool place(PageRun& run, std::uint64_t index, std::uint64_t offset);
  bool lay_out(const Entry& entry, const PageRun& run);

  Places places_;
  std::shared_ptr<PageLayout> layout_;
  bool has_compressed_ = false;
  std::uint64_t pages_id_ = 0;
  std::uint64_t nr_entries_ = 0;
  std::uint64_t nr_pages_ = 0;
  std::uint64_t next_page_ = 0;
  std::uint64_t end_ = 0;
  bool ascending_ = true;
  Error error_;
};

// A sink for one pagemap, which gets its runs in the order of the image. Derive from it.
class PagemapSink : public Sink {
 public:
  explicit PagemapSink(PagemapReader::Places places = PagemapReader::Places::wanted) : reader_{places} {}
  Step entry(const Entry& entry) final;
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) final;
  const PagemapReader& reader() const { return reader_; }  // its totals, and where an error is

 protected:
  virtual Step head(std::uint64_t /*pages_id*/) { return Step::go; }
  virtual Step runs(std::span<const PageRun> runs) = 0;  // the view lives until the return
  virtual void refused(const Error& error) = 0;          // an entry is impossible; no runs follow

 private:
  PagemapReader reader_;
};

// All runs of one pagemap, to be looked up by address. Once sealed, any number of threads may read it.
struct Pagemap {
  MemoryId memory;
  std::uint64_t pages_id = 0;
  std::uint64_t nr_present = 0;
  std::uint64_t address_bits = 0;  // of all addresses: whether they fit to pages larger than the smallest
  std::vector<PageRun> runs;
  std::shared_ptr<const PageLayout> layout = {};  // null: plain pages
  bool is_complete = false;                       // all entries came; said by PagemapLoader

  // Sorts the runs by address. Call before at_vaddr().
  void seal();
  // The size of its pages image, and where in the file a present run begins, or the block that it begins with.
  StoredSize stored(std::uint64_t page_size) const;
  std::uint64_t offset_of(const PageRun& run, std::uint64_t page_size) const;
  // How many of its pages are whole in a pages image of that size, and how much of their content is there.
  std::uint64_t nr_pages_in(StoredSize size, std::uint64_t page_size) const;
  std::uint64_t content_bytes_in(StoredSize size, std::uint64_t page_size) const;
  // What PagesImage and PagesSink are told of its pages image; null: its pages are plain, or error says what is wrong.
  // Reasons: bad_blocks, with the entry.
  std::shared_ptr<const StoredPages> blocks(std::uint64_t page_size, Error& error) const;
  struct Blocks {
    std::uint64_t count = 0, bytes = 0;  // as they are stored; no blocks: plain pages
  };
  Blocks all_blocks() const;                   // of all runs
  Blocks blocks_of(const PageRun& run) const;  // those that it begins
  std::uint64_t pages_per_block() const;       // of the largest ones; 0: plain pages
  // The error of a pages image of that size, which is too small.
  Error cut(StoredSize size, std::string place, std::uint64_t page_size) const;
  // The error of one that is too large; none: it is not. And: would it be right if pages were larger?
  Error surplus(StoredSize size, std::string place, std::uint64_t page_size) const;
  bool fits_larger_pages(StoredSize size, std::uint64_t page_size) const;
  // The run that holds the address, or else the first one behind it; runs.end(): there is none.
  std::vector<PageRun>::const_iterator at_vaddr(std::uint64_t vaddr, std::uint64_t page_size) const;
};

// Loads a Pagemap, which must outlive it, and seals it. Reports an entry that is refused.
class PagemapLoader : public PagemapSink {
 public:
  PagemapLoader(Pagemap& pagemap, std::function<void(const Error&)> report);
  Step end() override;
  void fail(const Error& error) override;

 protected:
  Step head(std::uint64_t pages_id) override;
  Step runs(std::span<const PageRun> runs) override;
  void refused(const Error& error) override;

 private:
  Pagemap& pagemap_;
  std::function<void(const Error&)> report_;
};

// A pages image in a file, read by page number or by position in its content. Any number of threads may read.
//
//     PagesImage image{directory.open(pages_name(1), error), 4096};
//     std::byte bytes[64];
//     if (!error) error = image.read(run.page, 100, bytes);       // bytes 100 to 163 of the run's first page
class PagesImage {
 public:
  // Takes ownership of the file. Requires: is_page_size(page_size), and the file is regular.
  // `blocks`: how its pages are stored, for the same page size; null: plain.
  PagesImage(InputFile file, std::uint64_t page_size, std::shared_ptr<const StoredPages> blocks = {});
  // The same for a part of a file, such as a member of an archive: nothing else of it is read. Or for what was held of
  // an image that cannot be read again.
  struct Part {
    std::shared_ptr<const InputFile> file = {};
    std::uint64_t begin = 0, size = 0;  // in bytes
    std::shared_ptr<const HeldPages> held = {};

    // Is there anything to read from?
    bool is_there() const { return file || held; }
  };
  PagesImage(Part part, std::string place, std::uint64_t page_size, std::shared_ptr<const StoredPages> blocks = {});

  const std::string& place() const { return place_; }  // for messages
  int fd() const { return part_.file->fd(); }          // the caller must not close it. Requires: it is in a file
  std::uint64_t page_size() const { return page_size_; }
  StoredSize stored() const { return {part_.size}; }  // in the file
  std::uint64_t nr_pages() const;                     // whole ones
  std::uint64_t content_bytes() const;                // what they hold, and of plain ones the piece behind them
  std::uint64_t nr_allocated() const;  // about how many of them take room on the disk; the others are holes

  std::uint64_t nr_pages_at_once() const;  // of the largest block, which is decoded as a whole; 1: all are plain

  // Fills `into` from byte `skip` of that page on, across the pages that follow. Reasons: io_read, cut_pages (the image
  // ends first).
  [[nodiscard]] Error read(std::uint64_t page, std::uint64_t skip, std::span<std::byte> into) const {
    return read_content(content_position(page, page_size_, skip), into);
  }
  // The same from a position in the content.
  [[nodiscard]] Error read_content(std::uint64_t position, std::span<std::byte> into) const;
  // The same as far as it can be read: `lost` gets each part of `into` that cannot, and why. Behind a page or a block
  // that is lost it goes on.
  using OnLost = std::function<void(std::size_t begin, std::size_t end, const Error&)>;
  void read_content(std::uint64_t position, std::span<std::byte> into, const OnLost& lost) const;
  // The same with whole pages, of which `nr_read` is the number. If the image ends first it is smaller than `into` has
  // room for, which is no error. Reasons: io_read.
  [[nodiscard]] Error read_pages(std::uint64_t page, std::span<std::byte> into, std::uint64_t& nr_read) const;

  struct Extent {              // of pages
    std::uint64_t begin, end;  // begin == end: only holes follow
  };
  // The first pages from `page` on that are not in a hole of the file. The end may lie past the last page.
  Extent next_extent(std::uint64_t page) const;
  // Reads all blocks and reports those that are damaged. Reasons: bad_block, io_read.
  void check_blocks(const std::function<void(const Error&)>& report) const;
  // How many bytes from a position in the content on lie in a hole, as far as `end`; 0: there is data, or no file.
  std::uint64_t hole_at(std::uint64_t position, std::uint64_t end) const;

 private:
  Error read_some(std::uint64_t position, std::span<std::byte> into, std::size_t& done) const;

  Part part_;
  bool is_whole_;  // file: its holes can be asked for
  std::string place_;
  std::uint64_t page_size_;
  std::shared_ptr<const StoredPages> blocks_;
  std::uint64_t number_ = 0;  // of images with blocks, each its own
};

// A sink for a pages image, which gets its bytes in multiples of the smallest page; the last piece may be shorter. It
// does not take a page size, which is often known only later. Derive from it.
class PagesSink : public Sink {
 public:
  PagesSink();
  ~PagesSink() override;
  Step entry(const Entry&) final { return Step::go; }
  Step raw(Bytes block) final;
  Step end() final;
  // Before the first bytes: how the pages are stored, if they are not plain.
  void stored_as(std::shared_ptr<const StoredPages> blocks);

 protected:
  bool has_blocks() const { return blocks_ != nullptr; }
  std::uint64_t stored_bytes() const { return stored_bytes_; }  // that have come
  // A block is damaged: its pages are left out, and those behind it follow. Reasons: bad_block.
  virtual void refused(const Error& error) { fail(error); }
  // The next pages. `first`: the number of the first one, counted in smallest pages. The view lives until the return.
  virtual Step pages(std::uint64_t first, Bytes bytes) = 0;
  virtual Step done(std::uint64_t /*size_bytes*/) { return Step::go; }  // the image is complete
  // For fail(): hands on what has come of the page that was cut. done() is not called.
  Step cut_page() { return carry_.empty() ? Step::go : pages(next_, carry_); }

 private:
  Step content(Bytes block);

  std::uint64_t next_ = 0;
  std::uint64_t stored_bytes_ = 0;
  std::vector<std::byte> carry_;
  std::unique_ptr<BlockFeed> blocks_;
};

}  // namespace critpipe
#pragma GCC visibility pop
