// Do pagemaps, pages images, parents and mappings agree?
#include <algorithm>
#include <map>
#include <set>

#include "critpipe/check.hpp"

namespace critpipe {

namespace {

using Unsigned = unsigned long long;

std::string pages_text(std::uint64_t count) { return format(count == 1 ? "%llu page" : "%llu pages", Unsigned{count}); }

constexpr std::uint64_t enough = 20;  // findings of a kind; a damaged pagemap has one in each entry

}  // namespace

struct EntryCheck::Work {
  void add(const PageRun& run, PagesFaultName name, std::string text, bool is_tolerated = false);
  void runs(std::span<const PageRun> runs);

  ReportPages report;
  std::string image;
  std::uint64_t page_size;
  std::map<std::pair<std::string_view, bool>, std::uint64_t> counts = {};  // by name, tolerated or not
  std::uint64_t entry = 0;                                                 // the head is entry 0
  std::uint64_t end = 0, last_vaddr = 0;
};

EntryCheck::EntryCheck(ReportPages report, std::string image, std::uint64_t page_size)
    : work_{new Work{std::move(report), std::move(image), page_size}} {}
EntryCheck::EntryCheck(EntryCheck&&) noexcept = default;
EntryCheck::~EntryCheck() = default;
void EntryCheck::runs(std::span<const PageRun> runs) { work_->runs(runs); }

void EntryCheck::Work::add(const PageRun& run, PagesFaultName name, std::string text, bool is_tolerated) {
  const std::uint64_t count = ++counts[{name, is_tolerated}];
  if (count > enough) return;
  if (count == enough) text += "; and so on";
  report({name, image, entry, run.vaddr, std::move(text), is_tolerated});
}

void EntryCheck::Work::runs(std::span<const PageRun> runs) {
  constexpr std::uint32_t known = PageRun::parent | PageRun::lazy | PageRun::present | PageRun::payload_aligned;
  for (const PageRun& run : runs) {
    ++entry;
    if (run.nr_pages == 0) add(run, "empty", "an entry of no pages");
    if (run.vaddr % page_size != 0) add(run, "alignment", "does not begin at a page");
    if ((run.flags & PageRun::payload_aligned) && !run.is_present()) add(run, "flags", "aligned, but not present");
    if (run.is_present() && run.is_parent()) add(run, "flags", "present, and in the parent");
    if (run.flags & ~known) add(run, "flags", format("flags 0x%x are not known", run.flags & ~known), true);
    if (entry > 1 && run.vaddr < last_vaddr) add(run, "order", format("stands behind 0x%llx", Unsigned{last_vaddr}));
    else if (run.vaddr < end)
      add(run, "overlap", format("overlaps the entry before it, which ends at 0x%llx", Unsigned{end}));
    last_vaddr = run.vaddr;
    end = run.end(page_size);
  }
}

namespace {

class PagesCheck {
 public:
  PagesCheck(const PagesView& view, const ReportPages& report) : view_{view}, report_{report} {}
  void run();

 private:
  using OneMemory = PagesView::OneMemory;
  using OneImage = PagesView::OneImage;

  void sizes();
  bool has_owner(const OneMemory& memory) const;
  void size_of(const OneMemory& memory, const OneImage* image);
  void blocks();
  void blocks_of(const OneMemory& memory, const OneImage& image, PageDirectory& directory);
  void owners();
  void in_mappings(const OneMemory& memory, const Task& task);
  void parents(const OneMemory& memory);
  void in_parent(const OneMemory& memory, const Stretch& stretch);
  bool is_chosen(MemoryId id) const { return !view_.is_chosen || view_.is_chosen(id); }

  const PagesView& view_;
  const ReportPages& report_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, PageStore::Held> held_;  // by level and pages_id
};

void PagesCheck::size_of(const OneMemory& memory, const OneImage* image) {
  const std::uint64_t claimed = memory.stored_bytes;
  if (!image && claimed > 0 && !memory.is_alone)
    report_(
        {"missing",
         memory.place,
         Error::nowhere,
         {},
         format("%s is missing; it should have %llu bytes", pages_name(memory.pages_id).c_str(), Unsigned{claimed})});
  if (!image || image->size_bytes == claimed || !memory.is_complete) return;
  report_({"size",
           image->place,
           Error::nowhere,
           {},
           format("%llu bytes, but the entries of %s make up %llu", Unsigned{image->size_bytes},
                  pagemap_name(memory.id).c_str(), Unsigned{claimed}),
           image->size_bytes > claimed});
}

bool PagesCheck::has_owner(const OneMemory& memory) const {
  const auto tasks = view_.checkpoint->tasks();
  if (memory.id.shmem || std::ranges::none_of(tasks, &Task::in_tree)) return true;
  const Task* const task = view_.checkpoint->find_task(static_cast<std::uint32_t>(memory.id.id));
  return task && task->in_tree;
}

void PagesCheck::sizes() {
  std::map<std::uint64_t, const OneImage*> images;
  for (const OneImage& image : view_.images) images[image.pages_id] = &image;
  // Those of nobody are of another dump that went to the same directory: its pages have been written over.
  std::map<std::uint64_t, const OneMemory*> claims;
  for (const OneMemory& memory : view_.memories)
    if (has_owner(memory)) claims.try_emplace(memory.pages_id, &memory);
  std::set<std::uint64_t> compressed;
  for (const OneMemory& memory : view_.memories) {
    if (memory.is_compressed) compressed.insert(memory.pages_id);
    const OneMemory* const first = claims.try_emplace(memory.pages_id, &memory).first->second;
    if (first != &memory)
      report_({"claimed",
               memory.place,
               Error::nowhere,
               {},
               pages_name(memory.pages_id) + " is also that of " + first->place,
               !has_owner(memory)});
    if (first != &memory && !has_owner(memory)) continue;
    const auto image = images.find(memory.pages_id);
    size_of(memory, image == images.end() ? nullptr : image->second);
  }
  for (const OneImage& image : view_.images) {
    if (!compressed.contains(image.pages_id) && !StoredSize{image.size_bytes}.is_whole(view_.page_size))
      report_({"size",
               image.place,
               Error::nowhere,
               {},
               format("%llu bytes are not a multiple of the page size %llu", Unsigned{image.size_bytes},
                      Unsigned{view_.page_size}),
               true});
    if (!image.is_claimed) report_({"unclaimed", image.place, Error::nowhere, {}, "no pagemap names it"});
  }
}

// What is wrong with lists of blocks is damage, which is found when they are read.
void PagesCheck::blocks() {
  PageDirectory* const directory = view_.store->page_directory();
  if (!directory) return;
  std::map<std::uint64_t, const OneImage*> images;
  for (const OneImage& image : view_.images) images.emplace(image.pages_id, &image);
  for (const OneMemory& memory : view_.memories) {
    const auto image = images.find(memory.pages_id);
    if (memory.is_compressed && memory.is_complete && image != images.end())
      blocks_of(memory, *image->second, *directory);
  }
}

void PagesCheck::blocks_of(const OneMemory& memory, const OneImage& image, PageDirectory& directory) {
  const Pagemap* const pagemap = directory.pagemap(memory.id);
  Error error;
  const PagesImage* const file =
      pagemap && pagemap->layout ? directory.image(memory.pages_id, view_.page_size, error) : nullptr;
  if (file)
    file->check_blocks([&](const Error& damage) {
      report_({"block",
               image.place,
               Error::nowhere,
               {},
               to_string(Error{damage.reason, "", damage.offset, Error::nowhere, damage.want, damage.have})});
    });
  directory.forget(memory.id);
}

namespace {

// Mappings without a gap between them.
struct Mapped {
  std::uint64_t begin, end;
};

std::vector<Mapped> mapped_by(const Task& task) {
  std::vector<Mapped> mapped;
  const MappingIndex mappings{task.memory.mappings};
  for (const Mapping* mapping : mappings.all())
    if (!mapped.empty() && mapping->start <= mapped.back().end)
      mapped.back().end = std::max(mapped.back().end, mapping->end);
    else mapped.push_back({mapping->start, mapping->end});
  return mapped;
}

}  // namespace

void PagesCheck::in_mappings(const OneMemory& memory, const Task& task) {
  const Pagemap* const pagemap = view_.pagemap(memory.id);
  if (!pagemap) return;
  const auto mapped = mapped_by(task);
  for (const PageRun& run : pagemap->runs) {
    const auto next = std::ranges::upper_bound(mapped, run.vaddr, {}, &Mapped::begin);
    const std::uint64_t at = next == mapped.begin() ? run.vaddr : std::max(run.vaddr, (next - 1)->end);
    if (at < run.end(view_.page_size)) report_({"mapping", memory.place, Error::nowhere, at, "pages in no mapping"});
  }
}

// Tasks and mappings; a pre-dump has neither.
void PagesCheck::owners() {
  if (std::ranges::none_of(view_.checkpoint->tasks(), &Task::in_tree)) return;
  std::set<MemoryId> mapped, there;
  for (const Task& task : view_.checkpoint->tasks())
    for (const Mapping& mapping : task.memory.mappings)
      if (const auto object = shared_object(*view_.checkpoint, mapping)) mapped.insert(*object);
  for (const OneMemory& memory : view_.memories) {
    there.insert(memory.id);
    const Task* task =
        memory.id.shmem ? nullptr : view_.checkpoint->find_task(static_cast<std::uint32_t>(memory.id.id));
    if (!memory.id.shmem && !task) report_({"owner", memory.place, Error::nowhere, {}, "there is no such process"});
    const bool is_used = mapped.contains(memory.id) || is_kept_unmapped(*view_.checkpoint, memory.id);
    if (memory.id.shmem && !is_used && memory.nr_entries > 0)
      report_({"owner", memory.place, Error::nowhere, {}, "no process maps this object"});
    if (task && task->has_memory && !task->memory.mappings.empty()) in_mappings(memory, *task);
  }
  for (const Task& task : view_.checkpoint->tasks())
    if (is_chosen({false, task.pid}) && task.in_tree && task.is_running() && task.has_memory &&
        !there.contains({false, task.pid}))
      report_({"missing",
               view_.place + pagemap_name({false, task.pid}),
               Error::nowhere,
               {},
               "the process has memory, but no pagemap"});
}

void PagesCheck::in_parent(const OneMemory& memory, const Stretch& stretch) {
  if (stretch.where == Stretch::Where::missing || stretch.where == Stretch::Where::lazy) {
    std::string why = "which does not have them";
    if (stretch.level > 1) why += format(" (%u steps up)", stretch.level);
    if (stretch.where == Stretch::Where::lazy) why = "which left them behind for a lazy restore";
    else if (stretch.level == 0 && !view_.store->parent()) why = "but there is none";
    report_({"parent", memory.place, Error::nowhere, stretch.vaddr,
             pages_text(stretch.nr_pages) + " should be in the parent, " + why});
    return;
  }
  if (stretch.level == 0 || stretch.where != Stretch::Where::stored) return;
  const auto [known, added] = held_.try_emplace({stretch.level, stretch.pages_id});
  if (added)
    known->second = view_.store->ancestor(stretch.level).held(stretch.pages_id, stretch.memory, view_.page_size);
  const auto& [path, nr_pages] = known->second;
  if (stretch.page + stretch.nr_pages > nr_pages)
    report_({"parent", memory.place, Error::nowhere, stretch.vaddr,
             pages_text(stretch.nr_pages) + " should be in " + path + ", which has " + pages_text(nr_pages)});
}

void PagesCheck::parents(const OneMemory& memory) {
  if (memory.nr_parent == 0 || memory.is_alone) return;
  if (!view_.may_have_parents) {
    report_({"parent",
             memory.place,
             Error::nowhere,
             {},
             pages_text(memory.nr_parent) + " should be in the parent, which is not in this input"});
    return;
  }
  // What follows without a gap and lacks the same is one finding.
  std::optional<Stretch> open;
  const auto close = [&] {
    if (open) in_parent(memory, *open);
    open.reset();
  };
  visit_stretches(*view_.store, memory.id, view_.page_size, 0, max_address, [&](const Stretch& stretch) {
    if (!(stretch.flags & PageRun::parent)) return Step::go;
    const bool joins = open && open->where == stretch.where && open->level == stretch.level &&
                       stretch.where != Stretch::Where::stored && open->end(view_.page_size) == stretch.vaddr;
    if (joins) {
      open->nr_pages += stretch.nr_pages;
      return Step::go;
    }
    close();
    open = stretch;
    return Step::go;
  });
  close();
}

void PagesCheck::run() {
  for (const OneMemory& memory : view_.memories) {
    if (memory.address_bits % view_.page_size / smallest_page != 0)
      report_({"alignment",
               memory.place,
               Error::nowhere,
               {},
               format("addresses are not multiples of the page size %llu", Unsigned{view_.page_size})});
    if (memory.id.shmem || memory.is_named) parents(memory);
  }
  if (!std::ranges::all_of(view_.memories, &OneMemory::is_alone)) sizes();
  owners();
  blocks();
}

}  // namespace

void check_pages(const PagesView& view, const ReportPages& report) {
  if (!view.memories.empty() || !view.images.empty()) PagesCheck{view, report}.run();
}

}  // namespace critpipe
