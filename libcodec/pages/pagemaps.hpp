// The pagemaps of a set, by their memory and by the pages image that they name. Internal.
#pragma once

#include <map>
#include <memory>
#include <ranges>

#include "critpipe/pages.hpp"

namespace critpipe {

// Pagemaps by the pages image that they name, so that nobody looks through all of them for one image. Those that are in
// it must stay where they are.
class PagemapIndex {
 public:
  // Has the pagemap name that image, and no other any more.
  void name(Pagemap& pagemap, std::uint64_t pages_id);
  // Requires: it has been named. Null: its pages are plain.
  void lay_out(Pagemap& pagemap, std::shared_ptr<const PageLayout> layout);
  void remove(const Pagemap& pagemap);

  // Those that name the image, by memory.
  auto of(std::uint64_t pages_id) const {
    const auto end = pages_id == ~std::uint64_t{0} ? named_.end() : named_.lower_bound({pages_id + 1, {}});
    return std::ranges::subrange{named_.lower_bound({pages_id, {}}), end} | std::views::values |
           std::views::transform([](Pagemap* pagemap) -> Pagemap& { return *pagemap; });
  }
  bool has_any(std::uint64_t pages_id) const { return !of(pages_id).empty(); }
  bool has_several(std::uint64_t pages_id) const { return !(of(pages_id) | std::views::drop(1)).empty(); }

  // How the image is stored, as the first pagemap says that tells its blocks; null: plain, or none says it, or as the
  // error says, with the pagemap's name. Reasons: bad_blocks.
  std::shared_ptr<const StoredPages> blocks_of(std::uint64_t pages_id, std::uint64_t page_size, Error& error) const;

 private:
  using Named = std::map<std::pair<std::uint64_t, MemoryId>, Pagemap*>;
  Named named_;
  Named with_blocks_;
};

// All pagemaps of a set that have come.
class Pagemaps {
 public:
  using Report = std::function<void(const Error&)>;

  // Loads the pagemap of that memory, which is there from now on; it is in index() when its head has come. *this must
  // outlive the sink.
  std::unique_ptr<PagemapLoader> load(MemoryId memory, Report report);
  Pagemap* find(MemoryId memory);
  bool contains(MemoryId memory) const { return all_.contains(memory); }
  void erase(MemoryId memory);

  const PagemapIndex& index() const { return index_; }
  auto all() { return all_ | std::views::values; }  // by memory

 private:
  class Loader;
  std::map<MemoryId, Pagemap> all_;
  PagemapIndex index_;
};

}  // namespace critpipe
