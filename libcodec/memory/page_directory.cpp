// Directories with pagemaps and pages images, and their parents.
#include <algorithm>
#include <array>

#include "critpipe/memory.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

// Images that are open, the most recent first, and what went wrong.
struct PageDirectory::Chain {
  struct Open {
    const PageDirectory* directory = nullptr;
    std::uint64_t pages_id = 0;
    std::optional<PagesImage> image = {};
  };
  Limits limits;
  std::array<Open, 16> open;
  std::vector<Error> errors;
  std::size_t nr_given = 0;  // of the errors
};

PageStore* PageStore::parent() {
  if (given_parent_) return given_parent_;
  PageDirectory* directory = page_directory();
  return directory ? directory->linked_parent() : nullptr;
}

PageStore& PageStore::ancestor(std::uint32_t level) {
  PageStore* store = this;
  for (; level > 0; --level) store = store->parent();
  return *store;
}

PageDirectory::PageDirectory(const std::string& path, const Limits& limits, Faults faults)
    : chain_{std::make_shared<Chain>()}, faults_{faults}, path_{path} {
  chain_->limits = limits;
  Error error;
  set_ = ImageSet::open_input(path, error);
  if (set_) path_ = set_->place();
  if (error && error.reason != Reason::no_images) chain_->errors.push_back(std::move(error));
}

PageDirectory::PageDirectory(std::unique_ptr<ImageSet> set, std::shared_ptr<Chain> chain)
    : chain_{std::move(chain)}, set_{std::move(set)}, path_{set_->place()} {}

// A long chain is taken apart step by step, not by recursion.
PageDirectory::~PageDirectory() {
  while (parent_) parent_ = std::move(parent_->parent_);
}

InputFile PageDirectory::open(std::string_view name, Error& error) const {
  if (set_) return set_->open(name, error);
  error = {Reason::missing_image, path_ + "/" + std::string{name}};
  return {};
}

const std::vector<Error>& PageDirectory::errors() const { return chain_->errors; }

std::vector<Error> PageDirectory::new_errors() {
  const std::size_t begin = std::exchange(chain_->nr_given, chain_->errors.size());
  return {chain_->errors.begin() + static_cast<std::ptrdiff_t>(begin), chain_->errors.end()};
}

bool PageDirectory::has_parent_link() const { return set_ && set_->has("parent"); }

const Pagemap* PageDirectory::pagemap(MemoryId memory) {
  const auto known = pagemaps_.find(memory);
  if (known != pagemaps_.end()) return known->second.get();
  auto& slot = pagemaps_[memory];
  const std::string name = pagemap_name(memory);
  if (!set_ || !set_->has(name)) return nullptr;
  Error error;
  InputFile file = set_->open(std::string_view{name}, error);
  auto pagemap = std::make_unique<Pagemap>();
  pagemap->memory = memory;
  Error refused;
  PagemapLoader loader{*pagemap, [&](const Error& why) { refused = why; }};
  const std::string place = file.place();
  if (!error) error = decode_image(std::move(file), loader, chain_->limits);
  for (Error* fault : {&error, &refused}) {
    if (!*fault || faults_ == Faults::of_parents) continue;
    if (fault->image.empty()) fault->image = place;
    chain_->errors.push_back(*fault);
  }
  if (!error && !refused) slot = std::move(pagemap);
  return slot.get();
}

void PageDirectory::forget(MemoryId memory) {
  for (PageDirectory* directory = this; directory; directory = directory->parent_.get())
    directory->pagemaps_.erase(memory);
}

PageDirectory* PageDirectory::linked_parent() {
  if (parent_known_) return parent_.get();
  parent_known_ = true;
  Error error;
  std::unique_ptr<ImageSet> set = set_ ? set_->parent(error) : nullptr;
  if (error) chain_->errors.push_back(std::move(error));
  if (set) parent_.reset(new PageDirectory{std::move(set), chain_});
  return parent_.get();
}

const PagesImage* PageDirectory::image(std::uint64_t pages_id, std::uint64_t page_size, Error& error) {
  auto& all = chain_->open;
  auto known = std::ranges::find_if(all, [&](const Chain::Open& open) {
    return open.image && open.directory == this && open.pages_id == pages_id && open.image->page_size() == page_size;
  });
  if (known == all.end()) {
    InputFile file;
    if (set_) file = set_->open(std::string_view{pages_name(pages_id)}, error);
    else error = {Reason::missing_image, path_ + "/" + pages_name(pages_id)};
    if (error) return nullptr;
    known = all.end() - 1;
    known->directory = this;
    known->pages_id = pages_id;
    known->image.emplace(std::move(file), page_size);
  }
  std::rotate(all.begin(), known, known + 1);
  return &*all.front().image;
}

Error PageDirectory::read(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip,
                          std::span<std::byte> into) {
  Error error;
  const PagesImage* pages = image(stretch.pages_id, page_size, error);
  return pages ? pages->read(stretch.page, skip, into) : error;
}

}  // namespace critpipe
