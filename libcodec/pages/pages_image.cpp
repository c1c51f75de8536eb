// Pages by number, out of files and out of blocks.
#include <atomic>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

#include "critpipe/pages_writer.hpp"
#include "critpipe/source.hpp"
#include "pages/held_pages.hpp"
#include "pages/page_blocks.hpp"
#include "pages/page_content.hpp"

namespace critpipe {

// Plain pages, nothing between them.
StoredSize StoredSize::of(std::uint64_t nr_pages, std::uint64_t page_size) {
  return {bytes_of_pages(nr_pages, page_size)};
}
std::uint64_t StoredSize::nr_pages(std::uint64_t page_size) const { return bytes / page_size; }
bool StoredSize::is_whole(std::uint64_t page_size) const { return bytes % page_size == 0; }

Error StoredSize::cut(std::string place, std::uint64_t nr_pages, std::uint64_t page_size) const {
  return {Reason::cut_pages, std::move(place), bytes, Error::nowhere, of(nr_pages, page_size).bytes, bytes};
}

std::shared_ptr<const StoredPages> Pagemap::blocks(std::uint64_t page_size, Error& error) const {
  return layout ? layout->placed(page_size, error) : nullptr;
}

Pagemap::Blocks Pagemap::all_blocks() const {
  if (!layout || layout->parts.empty()) return {};
  const PageLayout::Part& last = layout->parts.back();  // behind which may be sizes of an entry that was refused
  const std::uint64_t count = last.first_block + layout->nr_blocks(last);
  return {count, layout->sizes->sum_before(count)};
}

Pagemap::Blocks Pagemap::blocks_of(const PageRun& run) const {
  if (!layout || !run.is_present()) return {};
  const auto part = std::ranges::lower_bound(layout->parts, run.page, {}, &PageLayout::Part::page);
  if (part == layout->parts.end() || part->page != run.page) return {};  // among other plain ones
  const std::uint64_t count = layout->nr_blocks(*part);
  return {count, layout->sizes->sum_before(part->first_block + count) - layout->sizes->sum_before(part->first_block)};
}

std::uint64_t Pagemap::pages_per_block() const {
  std::uint32_t most = 0;
  if (layout)
    for (const PageLayout::Part& part : layout->parts) most = std::max(most, part.pages_per_block);
  return most;
}

StoredSize Pagemap::stored(std::uint64_t page_size) const {
  Error error;
  const auto placed = blocks(page_size, error);
  return placed ? StoredSize{placed->size_bytes()} : StoredSize::of(nr_present, page_size);
}

std::uint64_t Pagemap::nr_pages_in(StoredSize size, std::uint64_t page_size) const {
  Error error;
  const auto placed = blocks(page_size, error);
  return placed ? placed->nr_pages_in(size.bytes) : size.nr_pages(page_size);
}

std::uint64_t Pagemap::content_bytes_in(StoredSize size, std::uint64_t page_size) const {
  Error error;
  const auto placed = blocks(page_size, error);
  return placed ? content_position(placed->nr_pages_in(size.bytes), page_size) : size.bytes;
}

Error Pagemap::cut(StoredSize size, std::string place, std::uint64_t page_size) const {
  return {Reason::cut_pages, std::move(place), size.bytes, Error::nowhere, stored(page_size).bytes, size.bytes};
}

std::uint64_t Pagemap::offset_of(const PageRun& run, std::uint64_t page_size) const {
  Error error;
  const auto placed = blocks(page_size, error);
  return placed ? placed->block_of(run.page).offset : StoredSize::of(run.page, page_size).bytes;
}

namespace {

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

// What this thread read and decoded last: who reads on finds the rest of it here. Its rooms grow only, so that they are
// not cleared each time.
struct LastRead {
  std::uint64_t image = 0;
  std::uint64_t offset = 0, size = 0;  // of blocks as they are stored
  std::vector<std::byte> stored = {};
  std::uint64_t page = no_page;  // with which the block begins whose content it has
  std::vector<std::byte> content = {};

  static constexpr std::uint64_t no_page = ~std::uint64_t{0};
  void forget() {
    size = 0;
    page = no_page;
  }
  bool has(const StoredPages::Block& block) const {
    return block.size == 0 || (block.offset >= offset && block.offset + block.size <= offset + size);
  }
  Bytes stored_of(const StoredPages::Block& block) const {
    return block.size == 0 ? Bytes{} : Bytes{stored}.subspan(block.offset - offset, block.size);
  }
};
thread_local LastRead last_read;

std::span<std::byte> room_in(std::vector<std::byte>& bytes, std::uint64_t size) {
  if (bytes.size() < size) bytes.resize(size);
  return std::span{bytes}.first(size);
}

// Is it stored as it is, and so large that a read into its place costs less than a copy?
bool is_read_directly(const StoredPages::Block& block, std::uint64_t page_size) {
  return block.is_plain || (block.size == block.nr_pages * page_size && block.size >= block_bytes / 16);
}

// How many bytes to read for a block and for those behind it, up to a page.
std::uint64_t bytes_to_read(StoredPages::Walk block, std::uint64_t end_page, std::uint64_t page_size) {
  const std::uint64_t begin = block->offset;
  std::uint64_t end = begin;
  do {
    end += block->size;
    block.next();
  } while (block->nr_pages > 0 && block->page < end_page && !is_read_directly(*block, page_size) &&
           block->offset == end && end + block->size <= begin + block_bytes);
  return end - begin;
}

// The first page from `page` on that is not in a block of zeros, or of anything else.
std::uint64_t behind_blocks(const StoredPages& pages, std::uint64_t page, bool of_zeros) {
  StoredPages::Walk block{pages, page};
  while (block->nr_pages > 0 && (block->size == 0) == of_zeros) block.next();
  return std::max(block->page, page);
}

}  // namespace

PagesImage::PagesImage(InputFile file, std::uint64_t page_size, std::shared_ptr<const StoredPages> blocks)
    : PagesImage{Part{}, std::string{file.place()}, page_size, std::move(blocks)} {
  is_whole_ = true;
  part_.size = file.size();
  part_.file = std::make_shared<const InputFile>(std::move(file));
}

PagesImage::PagesImage(Part part, std::string place, std::uint64_t page_size, std::shared_ptr<const StoredPages> blocks)
    : part_{std::move(part)},
      is_whole_{false},
      place_{std::move(place)},
      page_size_{page_size},
      blocks_{std::move(blocks)},
      number_{blocks_ ? next_number() : 0} {
  if (!part_.held) return;
  part_.size = part_.size == Member::unknown ? part_.held->size() : std::max(part_.size, part_.held->size());
}

std::uint64_t PagesImage::nr_pages() const {
  if (!blocks_) return stored().nr_pages(page_size_);
  const std::uint64_t parts = blocks_->page_size() / page_size_;
  return blocks_->nr_pages_in(part_.size) * parts;
}

std::uint64_t PagesImage::content_bytes() const {
  return blocks_ ? content_position(nr_pages(), page_size_) : stored().bytes;
}

std::uint64_t PagesImage::nr_pages_at_once() const {
  return blocks_ ? std::max<std::uint64_t>(1, blocks_->most_pages() * (blocks_->page_size() / page_size_)) : 1;
}

std::uint64_t PagesImage::nr_allocated() const {
  if (blocks_) {
    std::uint64_t count = 0;
    for (StoredPages::Walk block{*blocks_, 0}; block->nr_pages > 0; block.next())
      if (block->size > 0) count += block->nr_pages;
    return std::min(nr_pages(), count * (blocks_->page_size() / page_size_));
  }
  struct stat status;
  if (!is_whole_ || fstat(part_.file->fd(), &status) != 0) return nr_pages();
  return std::min(nr_pages(), static_cast<std::uint64_t>(status.st_blocks) * 512 / page_size_);
}

// Ends where the image ends, or at a fault.
Error read_content(const StoredPages* blocks, std::uint64_t number, std::uint64_t position, std::span<std::byte> into,
                   const ReadStored& read, std::size_t& done) {
  Error error;
  done = 0;
  if (!blocks) {  // a position in the content is an offset in the file
    done = read(into, position, error);
    return error;
  }
  const std::uint64_t page_size = blocks->page_size();
  const std::uint64_t end_page = pages_touched(position + into.size(), page_size);
  LastRead& last = last_read;
  if (std::exchange(last.image, number) != number || number == 0) last.forget();
  for (StoredPages::Walk block{*blocks, position / page_size}; done < into.size() && block->nr_pages > 0;
       block.next()) {
    const std::uint64_t skip = position + done - block->page * page_size;
    const std::uint64_t length = block->nr_pages * page_size;
    const std::span<std::byte> here = into.subspan(done, std::min<std::uint64_t>(length - skip, into.size() - done));
    const bool is_whole = here.size() == length;
    if (block->is_plain || (is_whole && is_read_directly(*block, page_size))) {
      const std::size_t got = read(here, block->offset + skip, error);
      const bool is_all = got == here.size();
      if (block->is_plain || is_all) done += got;
      if (error || !is_all) return error;
      continue;
    }
    if (is_whole || last.page != block->page) {
      if (!last.has(*block)) {
        const std::span<std::byte> stored = room_in(last.stored, bytes_to_read(block, end_page, page_size));
        last.offset = block->offset;
        last.size = 0;
        last.size = read(stored, block->offset, error);
        if (!last.has(*block)) return error;
        error = {};  // of blocks behind it
      }
      if (!is_whole) last.page = LastRead::no_page;
      const Reason reason = unpack_block(last.stored_of(*block), is_whole ? here : room_in(last.content, length));
      if (reason != Reason::none) return {reason, "", block->offset, Error::nowhere, length, block->size};
      if (!is_whole) last.page = block->page;
    }
    if (!is_whole) std::memcpy(here.data(), last.content.data() + skip, here.size());
    done += here.size();
  }
  return error;
}

Error cut_content(const StoredPages* blocks, std::string place, std::uint64_t there, std::uint64_t stored_bytes,
                  std::uint64_t position, std::uint64_t size) {
  if (blocks) return blocks->cut(std::move(place), there / blocks->page_size(), stored_bytes);
  const std::uint64_t have = std::min(size, there - std::min(there, position));
  return {Reason::cut_pages, std::move(place), there, Error::nowhere, size, have};
}

bool visit_stored(const StoredPages* blocks, std::uint64_t position, std::uint64_t size, const WantStored& want) {
  if (!blocks) return size == 0 || want(position, size);
  const std::uint64_t page_size = blocks->page_size();
  const std::uint64_t end = position + size;
  for (StoredPages::Walk block{*blocks, position / page_size}; position < end; block.next()) {
    if (block->nr_pages == 0) return false;
    const std::uint64_t skip = position - block->page * page_size;
    const std::uint64_t length = std::min(block->nr_pages * page_size - skip, end - position);
    // No more of plain pages than is wanted.
    if (!(block->is_plain ? want(block->offset + skip, length) : want(block->offset, block->size))) return false;
    position += length;
  }
  return true;
}

Error PagesImage::read_some(std::uint64_t position, std::span<std::byte> into, std::size_t& done) const {
  const ReadStored read = [this](std::span<std::byte> stored, std::uint64_t offset, Error& error) {
    if (part_.held) return part_.held->read(stored, offset, error);
    if (is_whole_) return part_.file->pread(stored, offset, error);
    if (offset >= part_.size || !part_.file) return std::size_t{0};
    return part_.file->pread(stored.first(std::min(stored.size(), part_.size - offset)), part_.begin + offset, error);
  };
  Error error = critpipe::read_content(blocks_.get(), number_, position, into, read, done);
  if (error && (error.image.empty() || !is_whole_)) error.image = place_;
  return error;
}

Error PagesImage::read_content(std::uint64_t position, std::span<std::byte> into) const {
  std::size_t size = 0;
  Error error = read_some(position, into, size);
  if (error || size == into.size()) return error;
  return cut_content(blocks_.get(), place_, position + size, part_.size, position, into.size());
}

namespace {

// Where the page or the block ends that has the byte at a position in the content.
std::uint64_t end_of_part(const StoredPages* blocks, std::uint64_t page_size, std::uint64_t position) {
  if (blocks) page_size = blocks->page_size();
  const std::uint64_t page = position / page_size;
  const StoredPages::Block block = blocks ? blocks->block_of(page) : StoredPages::Block{};
  return (block.is_plain ? page + 1 : block.page + block.nr_pages) * page_size;
}

}  // namespace

void PagesImage::read_content(std::uint64_t position, std::span<std::byte> into, const OnLost& lost) const {
  for (std::size_t done = 0; done < into.size();) {
    std::size_t size = 0;
    Error error = read_some(position + done, into.subspan(done), size);
    done += size;
    if (done == into.size()) return;
    const std::uint64_t at = position + done;
    std::size_t end = into.size();  // behind the end of the image there is nothing
    if (error) end = std::min(end, done + (end_of_part(blocks_.get(), page_size_, at) - at));
    else error = cut_content(blocks_.get(), place_, at, part_.size, position, into.size());
    lost(done, end, error);
    done = end;
  }
}

Error PagesImage::read_pages(std::uint64_t page, std::span<std::byte> into, std::uint64_t& nr_read) const {
  std::size_t size = 0;
  Error error = read_some(content_position(page, page_size_), into, size);
  nr_read = pages_in(size, page_size_);
  return error;
}

namespace {

// The first byte from a place in a file on that is in no hole; the largest number: there is none. Where the next hole
// begins is not asked, as some file systems walk over all data then.
std::uint64_t next_data(int fd, std::uint64_t offset) {
  const off_t data = lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
  if (data >= 0) return static_cast<std::uint64_t>(data);
  return errno == ENXIO ? ~std::uint64_t{0} : offset;  // a file system without holes
}

}  // namespace

PagesImage::Extent PagesImage::next_extent(std::uint64_t page) const {
  constexpr std::uint64_t no_end = ~std::uint64_t{0};
  if (blocks_) {  // blocks of zeros are holes
    const std::uint64_t parts = blocks_->page_size() / page_size_;
    const std::uint64_t begin = behind_blocks(*blocks_, page / parts, true);
    if (begin >= blocks_->nr_pages()) return {no_end, no_end};
    return {std::max(begin * parts, page), behind_blocks(*blocks_, begin, false) * parts};
  }
  if (!is_whole_) return {page, no_end};
  const std::uint64_t data = next_data(fd(), StoredSize::of(page, page_size_).bytes);
  if (data == no_end) return {no_end, no_end};
  const off_t hole = lseek(fd(), static_cast<off_t>(data), SEEK_HOLE);
  return {pages_in(data, page_size_),
          hole < 0 ? no_end : pages_in(static_cast<std::uint64_t>(hole) + page_size_ - 1, page_size_)};
}

std::uint64_t PagesImage::hole_at(std::uint64_t position, std::uint64_t end) const {
  end = std::min(end, content_bytes());
  if (position >= end) return 0;
  const std::uint64_t page_size = blocks_ ? blocks_->page_size() : page_size_;
  const std::uint64_t at = position / page_size;
  std::uint64_t page = at;
  if (blocks_) page = behind_blocks(*blocks_, at, true);
  else if (is_whole_) page = pages_in(next_data(fd(), StoredSize::of(at, page_size_).bytes), page_size_);
  const std::uint64_t data = page > end / page_size ? end : std::min(end, page * page_size);
  return data > position ? data - position : 0;
}

void PagesImage::check_blocks(const std::function<void(const Error&)>& report) const {
  if (!blocks_) return;
  std::vector<std::byte> content;
  const std::uint64_t page_size = blocks_->page_size(), end = blocks_->nr_pages_in(part_.size);
  for (StoredPages::Walk block{*blocks_, 0}; block->page < end; block.next()) {
    if (block->is_plain || block->size == 0) continue;
    const Error error =
        read_content(content_position(block->page, page_size), room_in(content, block->nr_pages * page_size));
    if (error && error.reason != Reason::cut_pages) report(error);
  }
}

PagesSink::PagesSink() = default;
PagesSink::~PagesSink() = default;

void PagesSink::stored_as(std::shared_ptr<const StoredPages> blocks) {
  blocks_ = blocks ? std::make_unique<BlockFeed>(std::move(blocks)) : nullptr;
}

Step PagesSink::raw(Bytes block) {
  stored_bytes_ += block.size();
  if (!blocks_) return content(block);
  return blocks_->feed(
      block, [this](Bytes bytes) { return content(bytes); },
      [this](const Error& error, std::uint64_t content_bytes) {
        next_ += pages_in(content_bytes, smallest_page);
        refused(error);
      });
}

Step PagesSink::content(Bytes block) {
  if (!carry_.empty()) {
    const std::size_t take = std::min<std::size_t>(smallest_page - carry_.size(), block.size());
    carry_.insert(carry_.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(take));
    block = block.subspan(take);
    if (carry_.size() < smallest_page) return Step::go;
    const Step step = pages(next_++, carry_);
    carry_.clear();
    if (step == Step::stop) return step;
  }
  const std::size_t whole = block.size() - block.size() % smallest_page;
  if (whole > 0) {
    const std::uint64_t first = next_;
    next_ += whole / smallest_page;
    if (pages(first, block.first(whole)) == Step::stop) return Step::stop;
  }
  const Bytes rest = block.subspan(whole);
  carry_.assign(rest.begin(), rest.end());
  return Step::go;
}

Step PagesSink::end() {
  if (blocks_ && raw({}) == Step::stop) return Step::stop;  // an image of nothing but zeros
  const std::uint64_t size = content_position(next_, smallest_page, carry_.size());
  if (cut_page() == Step::stop) return Step::stop;
  return done(size);
}

}  // namespace critpipe
