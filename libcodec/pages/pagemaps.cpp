#include "pages/pagemaps.hpp"

#include "pages/page_blocks.hpp"
#include "pages/page_content.hpp"

namespace critpipe {

void PagemapIndex::name(Pagemap& pagemap, std::uint64_t pages_id) {
  remove(pagemap);
  pagemap.pages_id = pages_id;
  named_[{pages_id, pagemap.memory}] = &pagemap;
}

const Pagemap* PagemapIndex::with_blocks(std::uint64_t pages_id) const {
  const auto first = with_blocks_.lower_bound({pages_id, {}});
  return first == with_blocks_.end() || first->first.first != pages_id ? nullptr : first->second;
}

std::shared_ptr<const StoredPages> PagemapIndex::blocks_of(std::uint64_t pages_id, std::uint64_t page_size,
                                                           Error& error) const {
  const Pagemap* const pagemap = with_blocks(pages_id);
  if (!pagemap) return nullptr;
  auto placed = pagemap->blocks(page_size, error);
  if (error) error.image = pagemap_name(pagemap->memory);
  return placed;
}

Error PagemapIndex::came_before(std::uint64_t pages_id, std::uint64_t page_size, const StoredPages* taken,
                                std::string place) const {
  Error error;
  const auto blocks = blocks_of(pages_id, page_size, error);
  if (error || same_blocks(blocks.get(), taken)) return error;
  const Pagemap* const pagemap = with_blocks(pages_id);
  if (taken && blocks && taken->is_of_same_layout(*blocks))
    return {Reason::limit_late_page_size, std::move(place), Error::nowhere, Error::nowhere, page_size};
  return named_error(Reason::limit_late_pagemap, std::move(place),
                     pagemap ? pagemap_name(pagemap->memory) : "its pagemap");
}

bool PagemapIndex::is_late(const Error& error) {
  return error.reason == Reason::limit_late_pagemap || error.reason == Reason::limit_late_page_size;
}

Error PagemapIndex::larger_pages(std::uint64_t pages_id, StoredSize size, std::string place,
                                 std::uint64_t page_size) const {
  const auto named = of(pages_id);
  if (named.empty() || named.has_several()) return {};
  const Pagemap& pagemap = *named.begin();
  return pagemap.fits_larger_pages(size, page_size) ? pagemap.surplus(size, std::move(place), page_size) : Error{};
}

void PagemapIndex::lay_out(Pagemap& pagemap, std::shared_ptr<const PageLayout> layout) {
  pagemap.layout = std::move(layout);
  if (pagemap.layout) with_blocks_[{pagemap.pages_id, pagemap.memory}] = &pagemap;
  else with_blocks_.erase({pagemap.pages_id, pagemap.memory});
}

void PagemapIndex::remove(const Pagemap& pagemap) {
  named_.erase({pagemap.pages_id, pagemap.memory});
  with_blocks_.erase({pagemap.pages_id, pagemap.memory});
}

class Pagemaps::Loader final : public PagemapLoader {
 public:
  Loader(PagemapIndex& index, Pagemap& pagemap, Report report)
      : PagemapLoader{pagemap, std::move(report)}, index_{index}, pagemap_{pagemap} {}
  Step end() override {
    const Step step = PagemapLoader::end();
    index_.lay_out(pagemap_, pagemap_.layout);
    return step;
  }
  void fail(const Error& error) override {
    PagemapLoader::fail(error);
    index_.lay_out(pagemap_, pagemap_.layout);
  }

 protected:
  Step head(std::uint64_t pages_id) override {
    index_.name(pagemap_, pages_id);
    return Step::go;
  }

 private:
  PagemapIndex& index_;
  Pagemap& pagemap_;
};

std::unique_ptr<PagemapLoader> Pagemaps::load(MemoryId memory, Report report) {
  Pagemap& pagemap = all_[memory];
  pagemap.memory = memory;
  return std::make_unique<Loader>(index_, pagemap, std::move(report));
}

Pagemap* Pagemaps::find(MemoryId memory) {
  const auto found = all_.find(memory);
  return found == all_.end() ? nullptr : &found->second;
}

void Pagemaps::erase(MemoryId memory) {
  const auto found = all_.find(memory);
  if (found == all_.end()) return;
  index_.remove(found->second);
  all_.erase(found);
}

}  // namespace critpipe
