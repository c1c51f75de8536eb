// Mappings and what stands in them.
#include "crit-pages/picture.hpp"

#include <algorithm>

namespace critpipe::filters {

namespace {

class Painter {
 public:
  Painter(SurveyedSet& set, MemoryId memory) : set_{set}, memory_{memory} {}
  void begin(std::uint64_t start, std::uint64_t end, std::string text, bool of_file);
  void add(const Stretch& stretch);
  const Row& row() const { return row_; }

 private:
  void put(std::uint64_t nr_pages, PageState state, std::uint32_t flags);
  void stored(const Stretch& stretch, std::uint64_t skip, std::uint64_t nr_pages);

  SurveyedSet& set_;
  MemoryId memory_;
  Row row_;
  bool of_file_ = false;
  std::uint64_t at_ = 0;  // what is below has been drawn
};

void Painter::begin(std::uint64_t start, std::uint64_t end, std::string text, bool of_file) {
  row_ = {};
  row_.start = start;
  row_.end = end;
  row_.text = std::move(text);
  of_file_ = of_file;
  at_ = start;
}

void Painter::put(std::uint64_t nr_pages, PageState state, std::uint32_t flags) {
  row_.counts[static_cast<std::size_t>(state)] += nr_pages;
  Row::Segment* last = row_.segments.empty() ? nullptr : &row_.segments.back();
  if (last && last->state == state && last->flags == flags) last->nr_pages += nr_pages;
  else row_.segments.push_back({nr_pages, state, flags});
}

// Zero pages are known where the pages image is here; what a pagemap claims beyond it is not looked at one by one.
void Painter::stored(const Stretch& stretch, std::uint64_t skip, std::uint64_t nr_pages) {
  const PageState state = stretch.memory.shmem && !memory_.shmem ? PageState::shared : PageState::present;
  const auto memory = set_.memories.find(stretch.memory);
  const SurveyedPages* image = memory == set_.memories.end() ? nullptr : set_.image_of(memory->second);
  const std::uint64_t first = stretch.page + skip;
  const std::uint64_t there = image ? image->facts.nr_pages(set_.page_size) : 0;
  const std::uint64_t known = std::min(nr_pages, there - std::min(there, first));
  for (std::uint64_t i = 0, step = 0; i < known; i += step) {
    const std::uint64_t nr_zero = std::min(known - i, image->facts.nr_zero(first + i, set_.page_size));
    const bool is_zero = nr_zero > 0 || image->facts.page(first + i, set_.page_size).is_zero();
    step = std::max<std::uint64_t>(nr_zero, 1);
    put(step, is_zero ? PageState::zero : state, stretch.flags);
  }
  if (known < nr_pages) put(nr_pages - known, state, stretch.flags);
}

void Painter::add(const Stretch& stretch) {
  const std::uint64_t size = set_.page_size;
  const std::uint64_t end = std::min(stretch.end(size), row_.end);
  const std::uint64_t begin = std::max({stretch.vaddr, row_.start, at_});
  if (begin >= end) return;
  at_ = end;
  const std::uint64_t nr_pages = (end - begin) / size;
  switch (stretch.where) {
    case Stretch::Where::hole: put(nr_pages, of_file_ ? PageState::file : PageState::hole, stretch.flags); break;
    case Stretch::Where::lazy: put(nr_pages, PageState::lazy, stretch.flags); break;
    case Stretch::Where::missing: put(nr_pages, PageState::missing, stretch.flags); break;
    case Stretch::Where::stored:
      if (stretch.level > 0) put(nr_pages, PageState::parent, stretch.flags);
      else stored(stretch, (begin - stretch.vaddr) / size, nr_pages);
  }
}

// Runs with less than a small gap between them are one row.
void without_mappings(SurveyedSet& set, MemoryId memory, const std::function<void(const Row&)>& draw) {
  constexpr std::uint64_t small_gap = 256;
  Painter painter{set, memory};
  const Pagemap* pagemap = set.pagemap(memory);
  if (!pagemap) return;
  for (auto run = pagemap->runs.begin(); run != pagemap->runs.end();) {
    const std::uint64_t start = run->vaddr;
    std::uint64_t end = start;
    // The first is taken in any case: it may end at the top of the address space.
    do end = std::max(end, run->end(set.page_size));
    while (++run != pagemap->runs.end() && run->vaddr <= address_behind(end, small_gap, set.page_size));
    painter.begin(start, end, "", false);
    visit_stretches(set, memory, set.page_size, start, end, [&](const Stretch& stretch) {
      painter.add(stretch);
      return Step::go;
    });
    draw(painter.row());
  }
}

}  // namespace

const PageStateRow& row_of(PageState state) {
  static constexpr PageStateRow rows[nr_page_states] = {
      {"not stored", "#e8e8e8", "90", "·", '.'}, {"as in the file", "#7fc8d8", "36", "░", 'f'},
      {"zero", "#b0b0b0", "37", "□", '0'},       {"present", "#3a9d4f", "32", "█", '#'},
      {"shared", "#b05ac8", "35", "▓", 's'},     {"in the parent", "#3f6fd8", "34", "▒", 'p'},
      {"lazy", "#e8b020", "33", "◌", 'l'},       {"missing in the parent", "#d83030", "31", "✗", '!'},
  };
  return rows[static_cast<std::size_t>(state)];
}

void picture(SurveyedSet& set, MemoryId memory, const std::function<void(const Row&)>& draw) {
  const Task* task = task_of(set, memory);
  if (!task || task->memory.mappings.empty()) return without_mappings(set, memory, draw);
  Painter painter{set, memory};
  const MappingIndex mappings{task->memory.mappings};
  for (const Mapping* mapping : mappings.all()) {
    painter.begin(mapping->start, mapping->end, mapping_text(*set.checkpoint, *mapping),
                  mapping->kind() == Mapping::Kind::file);
    visit_stretches(set, *set.checkpoint, *task, mappings, set.page_size, mapping->start, mapping->end,
                    [&](const Stretch& stretch) {
                      painter.add(stretch);
                      return Step::go;
                    });
    draw(painter.row());
  }
}

}  // namespace critpipe::filters
