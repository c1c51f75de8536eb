#include "memory/page_size_of_parents.hpp"

namespace critpipe {

namespace {

void add_of(PageStore& parent, const Pagemap& pagemap, PageSizeByImages& images) {
  PageDirectory* const files = parent.page_directory();
  if (!files) {
    const PageStore::Held held = parent.held(pagemap.pages_id, pagemap.memory, smallest_page);
    if (!pagemap.layout) images.add(pagemap, StoredSize::of(held.nr_pages, smallest_page));
    return;
  }
  Error error;
  InputFile file = files->open(pages_name(pagemap.pages_id), error);
  if (!file.is_open()) return;
  const PagesImage stored{std::move(file), smallest_page};
  images.add(pagemap, stored.stored(), &stored);
}

}  // namespace

void add_parents(PageStore& set, const std::vector<MemoryId>& memories, PageSizeByImages& images) {
  if (images.size() != 0) return;
  for (PageStore* parent = set.parent(); parent; parent = parent->parent())
    for (const MemoryId memory : memories) {
      if (const Pagemap* const pagemap = parent->pagemap(memory)) add_of(*parent, *pagemap, images);
      if (PageDirectory* const files = parent->page_directory()) files->forget(memory);
    }
}

}  // namespace critpipe
