// Addresses to pages in pages images, through parents.
#include <algorithm>

#include "critpipe/memory.hpp"

namespace critpipe {

namespace {

// One memory, and the entry of the first set that is being looked up.
struct LookUp {
  const VisitStretch& visit;
  MemoryId memory;
  std::uint64_t page_size;
  std::uint32_t flags = 0;

  // False: `visit` stopped.
  bool emit(Stretch stretch, std::uint64_t begin, std::uint64_t end) const {
    if (begin >= end) return true;
    stretch.vaddr = begin;
    stretch.nr_pages = pages_touched(end - begin, page_size);
    stretch.memory = memory;
    stretch.flags = flags;
    return visit(stretch) == Step::go;
  }
  bool run(PageStore& store, std::uint32_t level, std::uint64_t begin, std::uint64_t end);
  bool entry(PageStore& store, const Pagemap& pagemap, const PageRun& run, Stretch stretch, std::uint64_t begin,
             std::uint64_t end);
};

bool LookUp::run(PageStore& store, std::uint32_t level, std::uint64_t begin, std::uint64_t end) {
  Stretch uncovered;
  uncovered.where = level == 0 ? Stretch::Where::hole : Stretch::Where::missing;
  uncovered.level = level;
  const Pagemap* pagemap = store.pagemap(memory);
  if (!pagemap) return emit(uncovered, begin, end);
  std::uint64_t at = begin;
  for (auto run = pagemap->at_vaddr(begin, page_size); run != pagemap->runs.end() && run->vaddr < end; ++run) {
    const std::uint64_t from = std::max(run->vaddr, at);
    const std::uint64_t to = std::min(end, run->end(page_size));
    if (from >= to) continue;
    if (level == 0) flags = 0;
    if (!emit(uncovered, at, from)) return false;
    if (level == 0) flags = run->flags;
    if (!entry(store, *pagemap, *run, uncovered, from, to)) return false;
    at = to;
  }
  if (level == 0) flags = 0;
  return emit(uncovered, at, end);
}

bool LookUp::entry(PageStore& store, const Pagemap& pagemap, const PageRun& run, Stretch stretch, std::uint64_t begin,
                   std::uint64_t end) {
  if (run.is_parent()) {
    if (PageStore* const parent = store.parent()) return this->run(*parent, stretch.level + 1, begin, end);
    stretch.where = Stretch::Where::missing;
  } else if (run.is_present()) {
    stretch.where = Stretch::Where::stored;
    stretch.pages_id = pagemap.pages_id;
    stretch.page = run.page_at(begin, page_size);
  } else if (run.is_lazy()) {
    stretch.where = Stretch::Where::lazy;
  }
  return emit(stretch, begin, end);
}

}  // namespace

bool visit_stretches(PageStore& store, MemoryId memory, std::uint64_t page_size, std::uint64_t begin, std::uint64_t end,
                     const VisitStretch& visit) {
  const std::uint64_t top = max_address - max_address % page_size;
  begin -= begin % page_size;
  end = end >= top ? max_address : end + (page_size - end % page_size) % page_size;
  return LookUp{visit, memory, page_size}.run(store, 0, begin, end);
}

}  // namespace critpipe
