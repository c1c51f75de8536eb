// Parents that the user gave: do they have what is asked of them?
#include <algorithm>
#include <filesystem>

#include "critpipe/memory.hpp"

namespace critpipe {

namespace {

class ParentCheck {
 public:
  ParentCheck(PageStore& store, std::uint64_t page_size) : store_{store}, page_size_{page_size} {}

  void look_at(MemoryId memory);
  std::uint32_t deepest() const { return deepest_; }
  // The first pages that a level lacks.
  struct Lack {
    MemoryId memory;
    std::uint64_t vaddr;
    bool is_above;  // it says that they are in a parent of its own
  };
  const std::map<std::uint32_t, Lack>& lacks() const { return lacks_; }

 private:
  PageStore& store_;
  std::uint64_t page_size_;
  std::uint32_t deepest_ = 0;
  std::map<std::uint32_t, Lack> lacks_;
};

void ParentCheck::look_at(MemoryId memory) {
  const Pagemap* pagemap = store_.pagemap(memory);
  if (!pagemap) return;
  for (const PageRun& run : pagemap->runs) {
    if (!run.is_parent()) continue;
    (void)visit_stretches(store_, memory, page_size_, run.vaddr, run.end(page_size_), [&](const Stretch& stretch) {
      if (stretch.where == Stretch::Where::hole) return Step::go;
      deepest_ = std::max(deepest_, stretch.level);
      if (stretch.where != Stretch::Where::missing || lacks_.contains(stretch.level)) return Step::go;
      const Pagemap* there = store_.ancestor(stretch.level).pagemap(memory);
      const auto entry = there ? there->at_vaddr(stretch.vaddr, page_size_) : std::vector<PageRun>::const_iterator{};
      const bool is_above = there && entry != there->runs.end() && entry->vaddr <= stretch.vaddr && entry->is_parent();
      lacks_[stretch.level] = {memory, stretch.vaddr, is_above};
      return Step::go;
    });
  }
}

// Dumps of one machine that differ in time are not the same; a copy is the same.
bool may_be_same(PageStore& one, PageStore& other) {
  const auto at = one.dump_uptime(), other_at = other.dump_uptime();
  if (at && other_at) return at == other_at;
  PageDirectory *const directory = one.page_directory(), *const other_directory = other.page_directory();
  return !directory || !other_directory || directory->identity() == other_directory->identity();
}

// Where a link or an archive has another parent than the given one: what to name instead. Empty: it has none.
std::string other_parent(PageStore& store, PageStore& given, std::span<const MemoryId> memories) {
  if (PageStore* const joined = store.replaced_parent(); joined && !may_be_same(*joined, given))
    return "another one is in the input of its child";
  if (!store.page_directory()) return {};
  PageDirectory own{store.page_directory()->path()};  // what is wrong with a link that is not used is no error
  PageDirectory* const linked = own.linked_parent();
  const auto is_there = [linked](MemoryId memory) { return linked->pagemap(memory) != nullptr; };
  if (!linked || !std::ranges::any_of(memories, is_there) || may_be_same(*linked, given)) return {};
  std::error_code none;
  const auto target = std::filesystem::read_symlink(own.path() + "/parent", none);
  return "the link of " + own.path() + " leads to " + (none ? "another one" : target.string());
}

// Reports the first of the given parents that cannot be one. False: there is such a one.
bool check_order(PageStore& store, std::span<const MemoryId> memories, std::span<const std::string> parents,
                 const std::function<void(const Error&)>& report) {
  const auto wrong = [&](std::size_t number, std::string why) {
    Error error{Reason::usage, parents[number]};
    error.name = "not the parent that is wanted: " + std::move(why);
    report(error);
    return false;
  };
  auto latest = store.dump_uptime();
  std::string_view child = "the checkpoint";
  PageStore* below = &store;
  for (std::size_t i = 0; i < parents.size(); ++i) {
    PageStore& given = *below->parent();
    if (std::string why = other_parent(*below, given, memories); !why.empty()) return wrong(i, std::move(why));
    const auto at = given.dump_uptime();
    if (at && latest && *at > *latest)
      return wrong(i, "it was dumped after " + std::string{child} + "; the nearest parent comes first");
    if (at) {
      latest = at;
      child = parents[i];
    }
    below = &given;
  }
  return true;
}

}  // namespace

Error no_single_parent(const std::string& input, std::size_t nr_sets) {
  Error error{nr_sets == 0 ? Reason::no_parent : Reason::usage, input};
  error.name = nr_sets == 0 ? "no pagemaps in here" : "a parent has one set of images, and here are several";
  return error;
}

void check_parents(PageStore& store, std::span<const MemoryId> memories, std::uint64_t page_size,
                   std::span<const std::string> parents, const std::function<void(const Error&)>& report) {
  if (!check_order(store, memories, parents, report)) return;
  ParentCheck check{store, page_size};
  for (const MemoryId memory : memories) check.look_at(memory);
  for (const auto& [level, lack] : check.lacks()) {
    Error error{Reason::bad_parent, parents[std::min<std::size_t>(std::max(level, 1u), parents.size()) - 1]};
    error.name =
        format("the pages at 0x%llx of %s %llu are %s", static_cast<unsigned long long>(lack.vaddr),
               lack.memory.shmem ? "shared object" : "process", static_cast<unsigned long long>(lack.memory.id),
               lack.is_above ? "in a parent of its own, which is not here" : "not in it");
    report(error);
  }
  for (std::size_t i = check.deepest(); i < parents.size(); ++i) {
    Error error{Reason::usage, parents[i]};
    error.name = "this parent is not used: no pages are in it";
    report(error);
  }
}

}  // namespace critpipe
