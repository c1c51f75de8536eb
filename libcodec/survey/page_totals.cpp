// Sums over runs and over facts.
#include <algorithm>
#include <bit>

#include "critpipe/survey.hpp"

namespace critpipe {

namespace {

// Requires: the run is larger than the last of them.
void keep_largest(std::array<PageRun, 4>& largest, const PageRun& run) {
  largest.back() = run;
  for (std::size_t i = largest.size() - 1; i > 0 && largest[i].nr_pages > largest[i - 1].nr_pages; --i)
    std::swap(largest[i], largest[i - 1]);
}

// n where the flag is set, else 0; without a branch, since flags alternate.
std::uint64_t where(std::uint32_t flags, std::uint32_t flag, std::uint64_t n) {
  return n & -std::uint64_t{(flags & flag) == flag};
}

}  // namespace

void PageTotals::add(std::span<const PageRun> runs) {
  if (runs.empty()) return;
  if (entries == 0) first = last = runs.front();
  entries += runs.size();
  std::uint64_t* const of_length = lengths.data();  // checks of each index cost 1% here; counts are below 2^45
  for (const PageRun& run : runs) {
    const std::uint64_t n = run.nr_pages;
    pages += n;
    present += where(run.flags, PageRun::present, n);
    parent += where(run.flags, PageRun::parent, n);
    lazy += where(run.flags, PageRun::lazy, n);
    present_parent += where(run.flags, PageRun::present | PageRun::parent, n);
    present_lazy += where(run.flags, PageRun::present | PageRun::lazy, n);
    absent += n & -std::uint64_t{(run.flags & (PageRun::present | PageRun::parent)) == 0};
    ++of_length[std::bit_width(n)];
    if (n > largest.back().nr_pages) [[unlikely]]
      keep_largest(largest, run);
    ascending &= run.vaddr >= last.vaddr;
    if (run.vaddr < first.vaddr) first = run;
    if (run.vaddr >= last.vaddr) last = run;
  }
}

void PageTotals::add(const PageTotals& other) {
  entries += other.entries;
  pages += other.pages;
  present += other.present;
  parent += other.parent;
  lazy += other.lazy;
  absent += other.absent;
  present_parent += other.present_parent;
  present_lazy += other.present_lazy;
  for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] += other.lengths[i];
  for (const PageRun& run : other.largest)
    if (run.nr_pages > largest.back().nr_pages) keep_largest(largest, run);
}

void ContentTotals::add(const ContentTotals& other) {
  scanned += other.scanned;
  zero += other.zero;
  holes += other.holes;
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] += other.classes[i];
}

}  // namespace critpipe
