// Pages by number, out of files and out of blocks.
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

#include "critpipe/pages.hpp"

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

std::uint64_t Pagemap::offset_of(const PageRun& run, std::uint64_t page_size) const {
  return StoredSize::of(run.page, page_size).bytes;
}

std::uint64_t PagesImage::nr_allocated() const {
  struct stat status;
  if (fstat(file_.fd(), &status) != 0) return nr_pages();
  return std::min(nr_pages(), static_cast<std::uint64_t>(status.st_blocks) * 512 / page_size_);
}

// Plain pages: a position in the content is an offset in the file.
Error PagesImage::read_content(std::uint64_t position, std::span<std::byte> into) const {
  Error error;
  const std::size_t size = file_.pread(into, position, error);
  if (!error && size < into.size())
    return {Reason::cut_pages, file_.place(), position + size, Error::nowhere, into.size(), size};
  return error;
}

Error PagesImage::read_pages(std::uint64_t page, std::span<std::byte> into, std::uint64_t& nr_read) const {
  Error error;
  nr_read = pages_in(file_.pread(into, StoredSize::of(page, page_size_).bytes, error), page_size_);
  return error;
}

PagesImage::Extent PagesImage::next_extent(std::uint64_t page) const {
  constexpr std::uint64_t no_end = ~std::uint64_t{0};
  const off_t data = lseek(file_.fd(), static_cast<off_t>(StoredSize::of(page, page_size_).bytes), SEEK_DATA);
  if (data < 0) return errno == ENXIO ? Extent{no_end, no_end} : Extent{page, no_end};  // a file system without holes
  const off_t hole = lseek(file_.fd(), data, SEEK_HOLE);
  const std::uint64_t begin = pages_in(static_cast<std::uint64_t>(data), page_size_);
  return {begin, hole < 0 ? no_end : pages_in(static_cast<std::uint64_t>(hole) + page_size_ - 1, page_size_)};
}

std::uint64_t PagesImage::hole_at(std::uint64_t position, std::uint64_t end) const {
  end = std::min(end, stored().bytes);
  if (position >= end) return 0;
  const std::uint64_t page = next_extent(position / page_size_).begin;
  const std::uint64_t data = page > end / page_size_ ? end : std::min(end, page * page_size_);
  return data > position ? data - position : 0;
}

Step PagesSink::raw(Bytes block) {
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
  const std::uint64_t size = content_position(next_, smallest_page, carry_.size());
  if (cut_page() == Step::stop) return Step::stop;
  return done(size);
}

}  // namespace critpipe
