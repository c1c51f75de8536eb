// Two memories, page by page.
#include <algorithm>

#include "crit-pages/difference.hpp"

namespace critpipe::filters {

namespace {

using StoredRun = Contents::StoredRun;

struct FactHash {
  std::size_t operator()(const PageFact& fact) const { return fact.low; }
};
struct FactEqual {
  bool operator()(const PageFact& a, const PageFact& b) const { return a.same_as(b); }
};
// Contents of the first that no longer stand where they stood: from addresses that are gone, and that have changed.
struct Left {
  std::uint64_t gone = 0, changed = 0;
};
using LeftContents = std::unordered_map<PageFact, Left, FactHash, FactEqual>;

using Visit = std::function<void(std::uint64_t vaddr, std::uint64_t nr_pages, const StoredRun* a, const StoredRun* b)>;

std::uint64_t nr_zero(const StoredRun& run, std::uint64_t at, std::uint64_t page_size) {
  return run.facts->nr_zero(run.page + pages_in(at - run.vaddr, page_size), page_size);
}

// Both sides in address order: a page at a time, or all that follow where nothing can be compared or all are zero:
// those cost nothing, however many a pagemap claims.
void visit_both(const std::vector<StoredRun>& first, const std::vector<StoredRun>& second, std::uint64_t page_size,
                const Visit& visit) {
  auto a = first.begin();
  auto b = second.begin();
  std::uint64_t at = 0;
  const auto end_of = [page_size](const StoredRun& run) { return address_behind(run.vaddr, run.nr_pages, page_size); };
  for (;;) {
    while (a != first.end() && end_of(*a) <= at) ++a;
    while (b != second.end() && end_of(*b) <= at) ++b;
    if (a == first.end() && b == second.end()) return;
    const std::uint64_t next_a = a == first.end() ? max_address : std::max(a->vaddr, at);
    const std::uint64_t next_b = b == second.end() ? max_address : std::max(b->vaddr, at);
    at = std::min(next_a, next_b);
    const StoredRun* here_a = next_a == at && a != first.end() ? &*a : nullptr;
    const StoredRun* here_b = next_b == at && b != second.end() ? &*b : nullptr;
    const std::uint64_t end_a = here_a ? end_of(*here_a) : next_a, end_b = here_b ? end_of(*here_b) : next_b;
    std::uint64_t nr_pages = pages_in(std::min(end_a, end_b) - at, page_size);
    if ((!here_a || here_a->facts) && (!here_b || here_b->facts)) {
      for (const StoredRun* here : {here_a, here_b})
        if (here && nr_pages > 1) nr_pages = std::min(nr_pages, nr_zero(*here, at, page_size));
    }
    nr_pages = std::max<std::uint64_t>(nr_pages, 1);  // the sides may be less than a page apart
    visit(at, nr_pages, here_a, here_b);
    const std::uint64_t end = address_behind(at, nr_pages, page_size);
    if (end == at) return;  // the top of the address space
    at = end;
  }
}

}  // namespace

void DifferenceCounts::add(const DifferenceCounts& other) {
  for (const Counter counter : {&DifferenceCounts::same, &DifferenceCounts::changed, &DifferenceCounts::added,
                                &DifferenceCounts::gone, &DifferenceCounts::moved, &DifferenceCounts::unknown})
    this->*counter += other.*counter;
}

const PagesImage* Contents::pages_of(const Stretch& stretch, Error& error) {
  return set_.ancestor(stretch.level).page_directory()->image(stretch.pages_id, smallest_page, error, set_.page_size);
}

const PageFacts* Contents::facts_of(const Stretch& stretch) {
  if (const SurveyedSet* holder = set_.surveyed(stretch.level)) {
    const auto image = holder->images.find(stretch.pages_id);
    return image == holder->images.end() ? nullptr : &image->second.facts;
  }
  const auto [found, added] = parents_.try_emplace({stretch.level, stretch.pages_id});
  if (!added) return &found->second;
  Error error;
  const PagesImage* image = pages_of(stretch, error);
  if (image) error = scan_pages(*image, nr_threads_, found->second);
  if (error) program_.report(error);
  return &found->second;
}

// Of a parent; the survey has looked at the set's own images.
void Contents::report_cut(const Stretch& stretch) {
  if (!reported_.insert({stretch.level, stretch.pages_id}).second) return;
  if (set_.surveyed(stretch.level)) return;  // the survey of a parent that was given has said it
  Error error;
  const PagesImage* image = pages_of(stretch, error);
  if (!image) return;  // reported as missing
  const Pagemap* const pagemap = set_.ancestor(stretch.level).pagemap(stretch.memory);
  if (pagemap && pagemap->layout) return program_.report(pagemap->cut(image->stored(), image->place(), set_.page_size));
  Error cut = image->stored().cut(image->place(), stretch.page + stretch.nr_pages, set_.page_size);
  cut.offset = StoredSize::of(image->stored().nr_pages(set_.page_size), set_.page_size).bytes;  // whole pages
  program_.report(cut);
}

std::vector<StoredRun> Contents::runs(MemoryId memory) {
  std::vector<StoredRun> runs;
  const auto found = set_.memories.find(memory);
  if (found == set_.memories.end()) return runs;
  visit_stretches(set_, memory, set_.page_size, 0, max_address, [&](const Stretch& stretch) {
    if (stretch.where == Stretch::Where::hole) return Step::go;
    const bool stored = stretch.where == Stretch::Where::stored;
    const PageFacts* facts = stored ? facts_of(stretch) : nullptr;
    const std::uint64_t there = facts ? facts->nr_pages(set_.page_size) : 0;
    const std::uint64_t here = std::min(stretch.nr_pages, there - std::min(there, stretch.page));
    if (here > 0) runs.push_back({stretch.vaddr, here, stretch.page, facts});
    if (here < stretch.nr_pages)
      runs.push_back({address_behind(stretch.vaddr, here, set_.page_size), stretch.nr_pages - here});
    if (stored && stretch.level > 0 && here < stretch.nr_pages) report_cut(stretch);
    return Step::go;
  });
  return runs;
}

std::optional<PageFact> Contents::fact(const StoredRun* run, std::uint64_t vaddr) const {
  if (!run || !run->facts) return {};
  const PageFact fact = run->facts->page(run->page + pages_in(vaddr - run->vaddr, set_.page_size), set_.page_size);
  return fact.is_lost ? std::nullopt : std::optional{fact};
}

void compare(Contents& first, Contents& second, MemoryId memory, const CountPages& count) {
  const std::vector<StoredRun> in_first = first.runs(memory), in_second = second.runs(memory);
  const std::uint64_t page_size = first.set().page_size;
  LeftContents left;
  visit_both(in_first, in_second, page_size,
             [&](std::uint64_t vaddr, std::uint64_t, const StoredRun* a, const StoredRun* b) {
               const auto was = first.fact(a, vaddr), is = second.fact(b, vaddr);
               if (!was || was->is_zero()) return;
               if (!b) ++left[*was].gone;
               else if (is && !is->same_as(*was)) ++left[*was].changed;
             });
  // Each content that was left can turn up once.
  const auto turned_up = [&left](const PageFact& fact) {
    const auto found = left.find(fact);
    if (found == left.end() || (found->second.gone == 0 && found->second.changed == 0)) return false;
    --(found->second.gone > 0 ? found->second.gone : found->second.changed);
    return true;
  };
  visit_both(in_first, in_second, page_size, [&](auto vaddr, auto nr_pages, const StoredRun* a, const StoredRun* b) {
    if (!b) return;
    const auto was = first.fact(a, vaddr), is = second.fact(b, vaddr);
    if ((a && !was) || !is) count(true, vaddr, nr_pages, &DifferenceCounts::unknown);
    else if (was && was->same_as(*is)) count(true, vaddr, nr_pages, &DifferenceCounts::same);
    else if (turned_up(*is)) count(true, vaddr, nr_pages, &DifferenceCounts::moved);
    else count(true, vaddr, nr_pages, was ? &DifferenceCounts::changed : &DifferenceCounts::added);
  });
  visit_both(in_first, in_second, page_size, [&](auto vaddr, auto nr_pages, const StoredRun* a, const StoredRun* b) {
    if (!a || b) return;
    const auto was = first.fact(a, vaddr);
    if (!was) return count(false, vaddr, nr_pages, &DifferenceCounts::unknown);
    if (!was->is_zero()) {
      Left& rest = left[*was];
      if (rest.gone == 0) return;  // moved away
      --rest.gone;
    }
    count(false, vaddr, nr_pages, &DifferenceCounts::gone);
  });
}

}  // namespace critpipe::filters
