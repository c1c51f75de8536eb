// Pagemaps in memory, and pages images cut into pages.
#include <algorithm>

#include "critpipe/pages.hpp"

namespace critpipe {

void Pagemap::seal() {
  const auto by_vaddr = [](const PageRun& a, const PageRun& b) { return a.vaddr < b.vaddr; };
  runs.shrink_to_fit();
  if (!std::ranges::is_sorted(runs, by_vaddr)) std::ranges::stable_sort(runs, by_vaddr);
}

std::vector<PageRun>::const_iterator Pagemap::at_vaddr(std::uint64_t vaddr, std::uint64_t page_size) const {
  auto next = std::ranges::upper_bound(runs, vaddr, {}, &PageRun::vaddr);
  if (next != runs.begin() && vaddr - (next - 1)->vaddr < (next - 1)->nr_pages * page_size) --next;
  return next;
}

PagemapLoader::PagemapLoader(Pagemap& pagemap, std::function<void(const Error&)> report)
    : pagemap_{pagemap}, report_{std::move(report)} {}

Step PagemapLoader::head(std::uint64_t pages_id) {
  pagemap_.pages_id = pages_id;
  return Step::go;
}

Step PagemapLoader::runs(std::span<const PageRun> runs) {
  for (const PageRun& run : runs)
    if (run.nr_pages > 0) pagemap_.runs.push_back(run);
  pagemap_.nr_present = reader().nr_present();
  return Step::go;
}

void PagemapLoader::refused(const Error& error) { report_(error); }

// What came before a fault is right, and can be looked up.
void PagemapLoader::fail(const Error&) { pagemap_.seal(); }

Step PagemapLoader::end() {
  pagemap_.seal();
  return Step::go;
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
  const std::uint64_t size = next_ * smallest_page + carry_.size();
  if (!carry_.empty() && pages(next_, carry_) == Step::stop) return Step::stop;
  return done(size);
}

}  // namespace critpipe
