#include "memory/page_size_of_chain.hpp"

#include "pages/page_size.hpp"

namespace critpipe {

void learn_page_size(Checkpoint& checkpoint, PageStore& set, const std::vector<MemoryId>& memories,
                     const std::function<const Pagemap*(MemoryId)>& own) {
  if (checkpoint.pages_only().empty()) return;
  PageSizeByImages sizes;
  for (PageStore* store = &set; store && sizes.size() == 0; store = store->parent())
    for (const MemoryId memory : memories) {
      const bool is_own = own && store == &set;
      const Pagemap* const pagemap = is_own ? own(memory) : store->pagemap(memory);
      if (!pagemap) continue;  // what is wrong with it was said
      const auto stored = pagemap->is_complete ? store->stored_image(pagemap->pages_id) : nullptr;
      if (stored) sizes.add(*pagemap, *stored, store->block_bytes());
      if (PageDirectory* const files = is_own ? nullptr : store->page_directory()) files->forget(memory);
    }
  checkpoint.learn_page_size(sizes.size());
}

}  // namespace critpipe
