// Pagemaps in memory.
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
  if (next != runs.begin() && vaddr < (next - 1)->end(page_size)) --next;
  return next;
}

PagemapLoader::PagemapLoader(Pagemap& pagemap, std::function<void(const Error&)> report)
    : pagemap_{pagemap}, report_{std::move(report)} {}

Step PagemapLoader::head(std::uint64_t pages_id) {
  pagemap_.pages_id = pages_id;
  return Step::go;
}

Step PagemapLoader::runs(std::span<const PageRun> runs) {
  for (const PageRun& run : runs) {
    pagemap_.address_bits |= run.vaddr;
    if (run.nr_pages > 0) pagemap_.runs.push_back(run);
  }
  pagemap_.nr_present = reader().nr_present();
  return Step::go;
}

void PagemapLoader::refused(const Error& error) { report_(error); }

// What came before a fault is right, and can be looked up.
void PagemapLoader::fail(const Error&) {
  pagemap_.layout = reader().layout();
  pagemap_.seal();
}

Step PagemapLoader::end() {
  pagemap_.layout = reader().layout();
  pagemap_.is_complete = true;
  pagemap_.seal();
  return Step::go;
}

}  // namespace critpipe
