// Addresses to places in pages images, through parents.
#include <algorithm>
#include <cerrno>
#include <unistd.h>

#include "critpipe/memory.hpp"

namespace critpipe {

struct MemoryReader::Walk {
  const Visit& visit;
  MemoryId memory;
  std::uint64_t page_size;
  std::uint32_t flags = 0;  // of the entry in the first directory

  bool emit(Stretch::Where where, std::uint32_t level, std::uint64_t begin, std::uint64_t end,
            std::uint64_t pages_id = 0, std::uint64_t page = 0) const {
    if (begin >= end) return true;
    return visit({begin, (end - begin) / page_size, where, level, memory, pages_id, page, flags}) == Step::go;
  }
};

bool MemoryReader::walk(Walk& walk, PageStore& store, std::uint32_t level, std::uint64_t begin, std::uint64_t end) {
  const Stretch::Where uncovered = level == 0 ? Stretch::Where::hole : Stretch::Where::missing;
  const Pagemap* pagemap = store.pagemap(memory_);
  if (!pagemap) return walk.emit(uncovered, level, begin, end);
  std::uint64_t at = begin;
  for (auto run = pagemap->at_vaddr(begin, page_size_); run != pagemap->runs.end() && run->vaddr < end; ++run) {
    const std::uint64_t from = std::max(run->vaddr, at);
    const std::uint64_t room = max_address - run->vaddr;
    const std::uint64_t to = std::min(end, run->vaddr + std::min(room, run->nr_pages * page_size_));
    if (from >= to) continue;
    if (level == 0) walk.flags = 0;
    if (!walk.emit(uncovered, level, at, from)) return false;
    if (level == 0) walk.flags = run->flags;
    bool go = true;
    if (run->is_parent()) {
      PageStore* const parent = store.parent();
      go =
          parent ? this->walk(walk, *parent, level + 1, from, to) : walk.emit(Stretch::Where::missing, level, from, to);
    } else if (run->is_present()) {
      go = walk.emit(Stretch::Where::stored, level, from, to, pagemap->pages_id,
                     run->page + (from - run->vaddr) / page_size_);
    } else {
      go = walk.emit(run->is_lazy() ? Stretch::Where::lazy : uncovered, level, from, to);
    }
    if (!go) return false;
    at = to;
  }
  if (level == 0) walk.flags = 0;
  return walk.emit(uncovered, level, at, end);
}

bool MemoryReader::stretches(std::uint64_t begin, std::uint64_t end, const Visit& visit) {
  begin -= begin % page_size_;
  if (end % page_size_ != 0) end = std::min(max_address, end) / page_size_ * page_size_ + page_size_;
  Walk walk{visit, memory_, page_size_};
  return this->walk(walk, store_, 0, begin, end);
}

Error PageFolder::read(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip, std::span<std::byte> into) {
  PageFolder* folder = this;
  for (std::uint32_t level = 0; level < stretch.level; ++level) folder = folder->parent();
  const std::string name = folder->path() + "/" + pages_name(stretch.pages_id);
  const int fd = folder->pages_fd(stretch.pages_id);
  if (fd < 0) return system_error(Reason::io_open, name, errno);
  const std::uint64_t begin = stretch.page * page_size + skip;
  for (std::size_t done = 0; done < into.size();) {
    const ssize_t size = pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(begin + done));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error(Reason::io_read, name, errno);
    if (size == 0) return {Reason::cut_pages, name, begin + done, Error::nowhere, into.size(), done};
    done += static_cast<std::size_t>(size);
  }
  return {};
}

}  // namespace critpipe
