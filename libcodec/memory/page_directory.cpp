// Directories with pagemaps and pages images, and their parents.
#include <algorithm>
#include <array>
#include <set>

#include "critpipe/memory.hpp"
#include "critpipe/source.hpp"
#include "model/page_size_of_set.hpp"
#include "pages/page_content.hpp"
#include "pages/pagemaps.hpp"

namespace critpipe {

// Images that are open, the most recent first, and what went wrong.
struct PageDirectory::Chain {
  struct Open {
    const PageDirectory* directory = nullptr;
    std::uint64_t pages_id = 0;
    std::unique_ptr<PagesImage> image = {};  // stays where it is
    std::shared_ptr<const StoredPages> blocks = {};
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

std::optional<std::uint64_t> PageStore::dump_uptime() {
  PageDirectory* const directory = page_directory();
  return directory ? directory->dump_uptime() : std::nullopt;
}

std::optional<std::uint64_t> PageStore::block_bytes() {
  PageDirectory* const directory = page_directory();
  return directory ? directory->block_bytes() : std::nullopt;
}

std::uint64_t PageStore::page_size_of_tasks() {
  PageDirectory* const directory = page_directory();
  return directory ? directory->page_size_of_tasks() : 0;
}

PageStore::Held PageStore::held(std::uint64_t pages_id, MemoryId memory, std::uint64_t page_size) {
  PageDirectory* const directory = page_directory();
  return directory ? directory->held(pages_id, memory, page_size) : Held{pages_name(pages_id)};
}

std::unique_ptr<const PagesImage> PageStore::stored_image(std::uint64_t pages_id) {
  PageDirectory* const directory = page_directory();
  Error error;
  InputFile file = directory ? directory->open(pages_name(pages_id), error) : InputFile{};
  return file.is_open() ? std::make_unique<PagesImage>(std::move(file), smallest_page) : nullptr;
}

struct PageDirectory::Work {
  std::shared_ptr<Chain> chain;   // what it shares with its parents
  std::unique_ptr<ImageSet> set;  // null: it can't be opened
  std::string path;
  ErrorsOf errors_of = ErrorsOf::all;
  bool parent_known = false;
  std::unique_ptr<PageDirectory> parent = {};
  Pagemaps pagemaps = {};
  std::set<MemoryId> missing = {};  // pagemaps that are damaged or not there

  // A checkpoint with that image and nothing else; empty: it is not there, or damaged.
  Checkpoint read(const std::string& name, const Needs& needs) const;
};

PageDirectory::PageDirectory(const std::string& path, const Limits& limits, ErrorsOf errors_of)
    : work_{new Work{std::make_shared<Chain>(), nullptr, path, errors_of}} {
  work_->chain->limits = limits;
  Error error;
  work_->set = ImageSet::open_input(path, error);
  if (work_->set) work_->path = work_->set->place();
  if (error && error.reason != Reason::no_images) work_->chain->errors.push_back(std::move(error));
}

PageDirectory::PageDirectory(std::unique_ptr<Work> work) : work_{std::move(work)} {}

// A long chain is taken apart step by step, not by recursion.
PageDirectory::~PageDirectory() {
  while (work_->parent) work_->parent = std::move(work_->parent->work_->parent);
}

const std::string& PageDirectory::path() const { return work_->path; }

InputFile PageDirectory::open(std::string_view name, Error& error) const {
  if (work_->set) return work_->set->open(name, error);
  error = {Reason::missing_image, work_->path + "/" + std::string{name}};
  return {};
}

const std::vector<Error>& PageDirectory::errors() const { return work_->chain->errors; }

std::vector<Error> PageDirectory::new_errors() {
  const std::size_t begin = std::exchange(work_->chain->nr_given, work_->chain->errors.size());
  return {work_->chain->errors.begin() + static_cast<std::ptrdiff_t>(begin), work_->chain->errors.end()};
}

bool PageDirectory::has_parent_link() const { return work_->set && work_->set->has("parent"); }

std::optional<Directory::Identity> PageDirectory::identity() const {
  if (!work_->set || !work_->set->is_directory()) return std::nullopt;
  return work_->set->identity();
}

Checkpoint PageDirectory::Work::read(const std::string& name, const Needs& needs) const {
  Checkpoint read{needs};
  if (!set || !set->has(name)) return read;
  const auto sink = read.sink_for(name);
  if (!sink) return read;
  Error error;
  InputFile file = set->open(std::string_view{name}, error);
  if (!error) error = decode_image(std::move(file), *sink, chain->limits);
  return error ? Checkpoint{{}} : std::move(read);
}

namespace {

const Needs needs_of_inventory{.kinds = {"INVENTORY"}};

}  // namespace

std::optional<std::uint64_t> PageDirectory::dump_uptime() {
  return work_->read("inventory.img", needs_of_inventory).dump_uptime();
}
std::optional<std::uint64_t> PageDirectory::block_bytes() {
  return work_->read("inventory.img", needs_of_inventory).block_bytes();
}

std::uint64_t PageDirectory::page_size_of_tasks() {
  if (!work_->set) return 0;
  for (const std::string& name : work_->set->members()) {
    const Kind* const kind = kind_of_name(name);
    if (!kind || kind->name != "MM") continue;
    if (const std::uint64_t size = told_page_size(work_->read(name, {.pagemaps = true}))) return size;
  }
  return 0;
}

const Pagemap* PageDirectory::pagemap(MemoryId memory) {
  if (const Pagemap* const known = work_->pagemaps.find(memory)) return known;
  if (!work_->missing.insert(memory).second) return nullptr;
  const std::string name = pagemap_name(memory);
  if (!work_->set || !work_->set->has(name)) return nullptr;
  Error error;
  InputFile file = work_->set->open(std::string_view{name}, error);
  Error refused;
  const auto loader = work_->pagemaps.load(memory, [&](const Error& why) { refused = why; });
  const std::string place = file.place();
  if (!error) error = decode_image(std::move(file), *loader, work_->chain->limits);
  for (Error* fault : {&error, &refused}) {
    if (!*fault || work_->errors_of == ErrorsOf::parents) continue;
    if (fault->image.empty()) fault->image = place;
    work_->chain->errors.push_back(*fault);
  }
  if (error || refused) work_->pagemaps.erase(memory);
  else work_->missing.erase(memory);
  return work_->pagemaps.find(memory);
}

void PageDirectory::forget(MemoryId memory) {
  for (PageDirectory* directory = this; directory; directory = directory->work_->parent.get()) {
    directory->work_->pagemaps.erase(memory);
    directory->work_->missing.erase(memory);
  }
}

PageDirectory* PageDirectory::linked_parent() {
  if (work_->parent_known) return work_->parent.get();
  work_->parent_known = true;
  Error error;
  std::unique_ptr<ImageSet> set = work_->set ? work_->set->parent(error) : nullptr;
  if (error) work_->chain->errors.push_back(std::move(error));
  if (set) {
    const std::string path = set->place();
    work_->parent.reset(new PageDirectory{std::unique_ptr<Work>{new Work{work_->chain, std::move(set), path}}});
  }
  return work_->parent.get();
}

const PagesImage* PageDirectory::image(std::uint64_t pages_id, std::uint64_t page_size, Error& error,
                                       std::uint64_t stored_page_size) {
  auto& all = work_->chain->open;
  // As a pagemap says that has been asked for.
  auto blocks = work_->pagemaps.index().blocks_of(pages_id, stored_page_size ? stored_page_size : page_size, error);
  if (error) error.image = work_->path + "/" + error.image;
  if (error) return nullptr;
  auto known = std::ranges::find_if(all, [&](const Chain::Open& open) {
    return open.image && open.directory == this && open.pages_id == pages_id && open.image->page_size() == page_size &&
           same_blocks(open.blocks.get(), blocks.get());
  });
  if (known == all.end()) {
    InputFile file;
    if (work_->set) file = work_->set->open(std::string_view{pages_name(pages_id)}, error);
    else error = {Reason::missing_image, work_->path + "/" + pages_name(pages_id)};
    if (error) return nullptr;
    known = all.end() - 1;
    known->directory = this;
    known->pages_id = pages_id;
    known->blocks = blocks;
    known->image = std::make_unique<PagesImage>(std::move(file), page_size, std::move(blocks));
  }
  std::rotate(all.begin(), known, known + 1);
  return all.front().image.get();
}

PageStore::Held PageDirectory::held(std::uint64_t pages_id, MemoryId, std::uint64_t page_size) {
  Error error;
  const PagesImage* const pages = image(pages_id, page_size, error);
  return {work_->path + "/" + pages_name(pages_id), pages ? pages->nr_pages() : 0};
}

Error PageDirectory::read(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip,
                          std::span<std::byte> into) {
  Error error;
  (void)pagemap(stretch.memory);  // which says how the image is stored
  const PagesImage* pages = image(stretch.pages_id, page_size, error);
  return pages ? pages->read(stretch.page, skip, into) : error;
}

}  // namespace critpipe
