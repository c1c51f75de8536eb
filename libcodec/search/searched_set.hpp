// A set of images in an archive or a stream, as far as it was searched. Internal.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "critpipe/checkpoint.hpp"
#include "model/page_size_of_set.hpp"
#include "pages/pagemaps.hpp"
#include "search/memory_search_work.hpp"
#include "search/waiting_matches.hpp"

namespace critpipe::search {

// A pages image, and the matches in it that wait for their addresses.
struct SearchedPages {
  std::string place;
  std::uint64_t seen_bytes = 0;                    // as they are stored
  std::shared_ptr<const StoredPages> blocks = {};  // that it was taken to have; null: none
  bool is_damaged = false;                         // which was reported
  Error refused = {};                              // a block, as long as the page size may be another one
  std::set<MemoryId> searched;                     // as it came
  std::uint64_t page_size = 0;                     // that it was taken to have then
  std::unique_ptr<WaitingMatches> waiting;
  bool again = false;  // to be searched in the second pass
};

struct SearchedSet final : PageStore {
  SetId id;
  std::string place;  // before the names of its images
  bool in_set = false;
  bool is_chosen = true;   // not read for its children only
  bool is_parent = false;  // of another set in its input, as is known at the end
  Checkpoint checkpoint{needs_of_memory()};
  std::set<std::string> whole;        // names of images that came to their end, but for those of pages
  std::set<MemoryId> whole_pagemaps;  // pagemaps that did
  Pagemaps pagemaps;
  std::shared_ptr<SharedOwners> sharers = std::make_shared<SharedOwners>();
  std::map<std::uint64_t, SearchedPages> pages;
  PagesToTry pages_to_try;

  const Pagemap* pagemap(MemoryId memory) override;
  std::optional<std::uint64_t> block_bytes() override { return checkpoint.block_bytes(); }
  std::uint64_t page_size_of_tasks() override { return told_page_size(checkpoint); }
  std::unique_ptr<const PagesImage> stored_image(std::uint64_t pages_id) override {
    return pages_to_try.stored_image(pages_id);
  }
  // May pages turn out to be larger than is known by now?
  bool may_learn_page_size(const MemorySearchOptions& options) const {
    return options.page_size == 0 && !pages_to_try.is_certain() && checkpoint.kind() != SetKind::checkpoint;
  }
  // A pages image comes, which `make` searches.
  std::unique_ptr<Sink> to_try(const Member& member, RoomToTry& room, PagesToTry::MakeSink make);
  std::uint64_t page_size(const MemorySearchOptions& options) const { return checkpoint.page_size(options.page_size); }
  // How the pages image is stored, as far as is known by now; null: plain, or the list of its blocks is wrong.
  std::shared_ptr<const StoredPages> blocks_of(std::uint64_t pages_id, const MemorySearchOptions& options,
                                               Error& error) const;
  // Has everything come that tells where that memory is mapped?
  bool tells(MemoryId memory);
  // Is it read, or called, as another set's parent is?
  bool may_be_parent() const { return !is_chosen || generation_of(id.set).number > 0; }
  // Its pages are among those of parents in its input, as is known at the end: they are searched together.
  bool is_joined(const Pagemap& pagemap) const { return has_given_parent() && has_pages_in_parent(pagemap); }
  static bool has_pages_in_parent(const Pagemap& pagemap);

 private:
  // Does the checkpoint tell of shared memory, and how many images it knew then?
  bool tells_shared_ = false;
  std::size_t nr_whole_then_ = 0;
};

// What the searches of all images in one reading of the inputs share.
struct SearchPass {
  MemorySearch::Work& work;
  const bool is_rereadable;
  bool is_second = false;
  bool stopped = false;
  WaitingBudget budget = {};

  // Is it known now where in memory the pages are, and who maps them?
  bool knows(SearchedSet& set, const Pagemap& pagemap) const;
  // Must pages wait for the second pass, as others belong to the same memory?
  bool defers(const SearchedSet& set, std::uint64_t pages_id) const;
  Step report_unclaimed(const SearchedSet& set, const SearchedPages& pages, const Match& found) const;
};

// Searches a pages image as it comes: by address for each pagemap that names it, if everything that tells the addresses
// has come before; else matches wait for it.
class ImageSearch final : public PagesSink {
 public:
  ImageSearch(SearchPass& pass, SearchedSet& set, std::uint64_t pages_id);
  ~ImageSearch() override;
  Step pass_over(std::uint64_t size_bytes) override;
  void fail(const Error&) override;

 protected:
  void refused(const Error& error) override;
  Step pages(std::uint64_t first, Bytes bytes) override;
  Step done(std::uint64_t) override { return finish(); }

 private:
  struct Lane;
  void add(const Pagemap& pagemap);
  void add_unplaced();
  Step wait(const Match& found);
  Step finish();
  Step settle(Lane& lane, Step step);

  SearchPass& pass_;
  SearchedSet& set_;
  SearchedPages& pages_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // none: not searched now
  bool full_ = false;
};

}  // namespace critpipe::search
