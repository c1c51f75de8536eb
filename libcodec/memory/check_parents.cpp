// Parents that the user gave: do they have what is asked of them?
#include <algorithm>
#include <cstdio>

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

}  // namespace

Error no_single_parent(const std::string& input, std::size_t nr_sets) {
  Error error{nr_sets == 0 ? Reason::no_parent : Reason::usage, input};
  error.name = nr_sets == 0 ? "no pagemaps in here" : "a parent has one set of images, and here are several";
  return error;
}

void check_parents(PageStore& store, std::span<const MemoryId> memories, std::uint64_t page_size,
                   std::span<const std::string> parents, const std::function<void(const Error&)>& report) {
  ParentCheck check{store, page_size};
  for (const MemoryId memory : memories) check.look_at(memory);
  for (const auto& [level, lack] : check.lacks()) {
    Error error{Reason::bad_parent, parents[std::min<std::size_t>(std::max(level, 1u), parents.size()) - 1]};
    char text[120];
    std::snprintf(text, sizeof text, "the pages at 0x%llx of %s %llu are %s",
                  static_cast<unsigned long long>(lack.vaddr), lack.memory.shmem ? "shared object" : "process",
                  static_cast<unsigned long long>(lack.memory.id),
                  lack.is_above ? "in a parent of its own, which is not here" : "not in it");
    error.name = text;
    report(error);
  }
  for (std::size_t i = check.deepest(); i < parents.size(); ++i) {
    Error error{Reason::usage, parents[i]};
    error.name = "this parent is not used: no pages are in it";
    report(error);
  }
}

}  // namespace critpipe
