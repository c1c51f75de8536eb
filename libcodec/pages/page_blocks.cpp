// Blocks of pages: where they are, and what they hold.
#include "pages/page_blocks.hpp"
#include "pages/page_content.hpp"

#include <algorithm>
#include <cstring>
#include <lz4.h>

#include "critpipe/pages_writer.hpp"

namespace critpipe {

Reason unpack_block(Bytes stored, std::span<std::byte> into) {
  if (stored.size() > into.size() || into.size() > max_block_bytes) return Reason::bad_block;
  if (stored.empty()) {
    std::ranges::fill(into, std::byte{0});
    return Reason::none;
  }
  if (stored.size() == into.size()) {
    std::memcpy(into.data(), stored.data(), into.size());
    return Reason::none;
  }
  const int size =
      LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(into.data()),
                          static_cast<int>(stored.size()), static_cast<int>(into.size()));
  return size >= 0 && static_cast<std::size_t>(size) == into.size() ? Reason::none : Reason::bad_block;
}

void BlockSizes::append(std::uint32_t size) {
  if (count_ % sum_every == 0) marks_.push_back({sum_, varints_.size()});
  std::uint64_t rest = size;
  for (; rest >= 0x80; rest >>= 7) varints_.push_back(static_cast<std::byte>(rest | 0x80));
  varints_.push_back(static_cast<std::byte>(rest));
  ++count_;
  sum_ += size;
}

void BlockSizes::append(Bytes varints) {
  for (const std::byte* at = varints.data(); at != varints.data() + varints.size();)
    append(static_cast<std::uint32_t>(trusted_varint(at)));
}

BlockSizes::At BlockSizes::at(std::uint64_t block) const {
  if (block >= count_) return {sum_, {}};
  const Mark& mark = marks_[block / sum_every];
  At found{mark.sum, Bytes{varints_}.subspan(mark.offset)};
  for (std::uint64_t i = block % sum_every; i > 0; --i) found.next();
  return found;
}

namespace {

Error bad_part(const PageLayout::Part& part, const char* why, std::uint64_t want, std::uint64_t have) {
  Error error{Reason::bad_blocks, "", Error::nowhere, part.entry, want, have};
  error.name = why;
  return error;
}

}  // namespace

std::shared_ptr<const StoredPages> PageLayout::placed(std::uint64_t page_size, Error& error) const {
  const std::scoped_lock lock{mutex_};
  if (placed_ && placed_->page_size() == page_size) return placed_;
  auto pages = place(page_size, error);
  return pages ? placed_ = std::move(pages) : nullptr;
}

std::shared_ptr<const StoredPages> PageLayout::place(std::uint64_t page_size, Error& error) const {
  auto pages = std::make_shared<StoredPages>();
  pages->page_size_ = page_size;
  pages->parts_ = parts;
  pages->sizes_ = sizes;
  std::uint64_t at = 0;
  BlockSizes::At size = sizes->at(0);
  for (const Part& part : parts) {
    if (part.aligned) at += (page_size - at % page_size) % page_size;
    pages->offsets_.push_back(part.pages_per_block == 0 ? at : at - size.sum());
    pages->nr_pages_ = part.page + part.nr_pages;
    if (part.pages_per_block == 0) {
      at += bytes_of_pages(part.nr_pages, page_size);
      continue;
    }
    const std::uint64_t whole = bytes_of_pages(std::min<std::uint64_t>(part.pages_per_block, part.nr_pages), page_size);
    pages->most_pages_ = std::max(pages->most_pages_, pages_in(whole, page_size));
    if (whole > max_block_bytes) {
      error = bad_part(part, "a block decodes to more than 4 MiB", max_block_bytes, whole);
      return nullptr;
    }
    for (std::uint64_t left = part.nr_pages; left > 0; size.next()) {
      const std::uint64_t nr_pages = std::min<std::uint64_t>(part.pages_per_block, left);
      const std::uint64_t decoded = bytes_of_pages(nr_pages, page_size);
      if (size.size() > decoded) {
        error = bad_part(part, "a block is larger than its pages", decoded, size.size());
        return nullptr;
      }
      at += size.size();
      left -= nr_pages;
    }
  }
  pages->size_bytes_ = at;
  return pages;
}

bool same_blocks(const StoredPages* one, const StoredPages* other) {
  return one == other || (one && other && one->is_of_same_layout(*other) && one->page_size() == other->page_size());
}

StoredPages::Walk::Walk(const StoredPages& pages, std::uint64_t page) : pages_{&pages} {
  if (page >= pages.nr_pages_) {
    part_ = pages.parts_.size();
    stand_at(page);
    return;
  }
  const auto next = std::ranges::upper_bound(pages.parts_, page, {}, &PageLayout::Part::page);
  part_ = static_cast<std::size_t>(next - pages.parts_.begin()) - 1;
  const PageLayout::Part& part = pages.parts_[part_];
  const std::uint64_t skip = page - part.page;
  const std::uint64_t index = part.pages_per_block == 0 ? 0 : skip / part.pages_per_block;
  size_ = pages.sizes_->at(part.first_block + index);
  stand_at(part.pages_per_block == 0 ? page : part.page + index * part.pages_per_block);
}

void StoredPages::Walk::stand_at(std::uint64_t page) {
  if (part_ == pages_->parts_.size()) {
    block_ = {page, 0, pages_->size_bytes_, 0, true};
    return;
  }
  const PageLayout::Part& part = pages_->parts_[part_];
  const std::uint64_t offset = pages_->offsets_[part_], page_size = pages_->page_size_;
  const std::uint64_t left = part.page + part.nr_pages - page;
  if (part.pages_per_block == 0) block_ = {page, left, offset + (page - part.page) * page_size, left * page_size, true};
  else block_ = {page, std::min<std::uint64_t>(part.pages_per_block, left), offset + size_.sum(), size_.size(), false};
}

void StoredPages::Walk::next() {
  if (part_ == pages_->parts_.size()) return;
  if (!block_.is_plain) size_.next();
  const std::uint64_t page = block_.page + block_.nr_pages;
  const PageLayout::Part& part = pages_->parts_[part_];
  part_ += page == part.page + part.nr_pages;
  stand_at(page);
}

std::uint64_t StoredPages::nr_pages_in(std::uint64_t size_bytes) const {
  if (size_bytes >= size_bytes_) return nr_pages_;
  std::uint64_t low = 0, high = nr_pages_;  // the first page that is not whole
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const Block block = block_of(middle);
    const std::uint64_t end = block.is_plain ? block.offset + page_size_ : block.offset + block.size;
    if (end <= size_bytes) low = middle + 1;
    else high = middle;
  }
  return low;
}

Error StoredPages::cut(std::string place, std::uint64_t page, std::uint64_t size_bytes) const {
  const Block block = block_of(page);
  const std::uint64_t have = size_bytes - std::min(size_bytes, block.offset);
  return {Reason::cut_pages, std::move(place), block.offset, Error::nowhere, block.size, have};
}

Step BlockFeed::whole(Bytes stored, const Take& take, const Refuse& refuse) {
  const std::uint64_t size = block_->nr_pages * pages_->page_size();
  if (content_.size() < size) content_.resize(size);
  const std::span<std::byte> content{content_.data(), size};
  const Reason reason = unpack_block(stored, content);
  const Error error{reason, "", block_->offset, Error::nowhere, size, stored.size()};
  block_.next();
  if (reason == Reason::none) return take(content);
  refuse(error, size);
  return Step::go;
}

Step BlockFeed::feed(Bytes bytes, const Take& take, const Refuse& refuse) {
  for (;;) {
    // Blocks of zeros need no bytes.
    while (block_->nr_pages > 0 && !block_->is_plain && block_->size == 0)
      if (whole({}, take, refuse) == Step::stop) return Step::stop;
    if (bytes.empty() || block_->nr_pages == 0) {
      at_ += bytes.size();
      return Step::go;
    }
    if (at_ < block_->offset) {  // to the border of a page
      const auto skip = static_cast<std::size_t>(std::min<std::uint64_t>(block_->offset - at_, bytes.size()));
      at_ += skip;
      bytes = bytes.subspan(skip);
      continue;
    }
    const std::uint64_t done = at_ - block_->offset;
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(block_->size - done, bytes.size()));
    const Bytes here = bytes.first(size);
    at_ += size;
    bytes = bytes.subspan(size);
    const bool ends = done + size == block_->size;
    Step step = Step::go;
    if (block_->is_plain) {
      step = take(here);
      if (ends) block_.next();
    } else if (ends && stored_.empty()) {
      step = whole(here, take, refuse);
    } else {
      stored_.insert(stored_.end(), here.begin(), here.end());
      if (ends) {
        step = whole(stored_, take, refuse);
        stored_.clear();
      }
    }
    if (step == Step::stop) return step;
  }
}

}  // namespace critpipe
