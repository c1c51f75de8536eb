#include "memory/page_size_of_chain.hpp"

#include "pages/page_size.hpp"

namespace critpipe {

void learn_page_size(Checkpoint& checkpoint, PageStore& set, const std::vector<MemoryId>& memories,
                     const std::function<const Pagemap*(MemoryId)>& own) {
  if (checkpoint.pages_only().empty()) return;
  PageSizeByImages sizes;
  const auto told = [&](PageStore& store) {
    if (const std::uint64_t size = store.page_size_of_tasks()) return size;
    const bool is_own = own && &store == &set;
    for (const MemoryId memory : memories) {
      const Pagemap* const pagemap = is_own ? own(memory) : store.pagemap(memory);
      if (!pagemap) continue;  // what is wrong with it was said
      const auto stored = pagemap->is_complete ? store.stored_image(pagemap->pages_id) : nullptr;
      if (stored) sizes.add(*pagemap, *stored, store.block_bytes());
      if (PageDirectory* const files = is_own ? nullptr : store.page_directory()) files->forget(memory);
    }
    return sizes.size();
  };
  checkpoint.learn_page_size(page_size_of_chain(&set, told));
}

}  // namespace critpipe
