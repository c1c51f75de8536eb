// --check: do pagemaps, pages images and parents agree?
#include <algorithm>
#include <set>

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    {0, "check", nullptr, "Say where pagemaps, pages images and parents do not agree; exit 1 if they do not."},
};
constexpr const char* takes[] = {"json", "output", "parent"};

using Unsigned = unsigned long long;

std::string pages_text(std::uint64_t count) {
  return formatted(count == 1 ? "%llu page" : "%llu pages", Unsigned{count});
}

class Findings {
 public:
  Findings(Program& program, Output& output)
      : output_{output}, json_{output, false, big_numbers_of(program)}, as_json_{program.has("json")} {}

  struct Subject {
    SetId set;
    std::string image;
    std::uint64_t entry = Error::nowhere;
    std::optional<std::uint64_t> vaddr = {};
  };
  void add(const Subject& subject, const char* finding, const std::string& sentence);
  std::uint64_t count() const { return count_; }

 private:
  Output& output_;
  JsonWriter json_;
  bool as_json_;
  std::uint64_t count_ = 0;
};

void Findings::add(const Subject& subject, const char* finding, const std::string& sentence) {
  ++count_;
  if (!as_json_) {
    std::string line = visible(subject.image) + ": ";
    if (subject.entry != Error::nowhere) line += formatted("entry %llu: ", Unsigned{subject.entry});
    if (subject.vaddr) line += formatted("0x%llx: ", Unsigned{*subject.vaddr});
    output_.write(line + sentence + '\n');
    return;
  }
  put_set(json_.begin('{'), subject.set).key("finding").text(finding).key("image").text(subject.image);
  if (subject.entry != Error::nowhere) json_.key("entry").number(subject.entry);
  if (subject.vaddr) json_.key("vaddr").number(*subject.vaddr);
  json_.key("text").text(sentence).end('}').line_end();
}

// The entries of one pagemap, as they come; the page size may not be known yet.
class EntryCheck {
 public:
  EntryCheck(Findings& findings, const SurveyedMemory& memory)
      : findings_{findings}, set_{memory.set}, image_{memory.place} {}
  void runs(std::span<const PageRun> runs);
  // Alignment to pages that are larger than the smallest.
  std::uint64_t bits_of_addresses() const { return bits_; }

 private:
  static constexpr std::uint64_t enough = 20;  // findings of a kind; a damaged pagemap has one in each entry

  void add(const PageRun& run, const char* finding, const std::string& sentence) {
    if (++counts_[finding] <= enough)
      findings_.add({set_, image_, entry_, run.vaddr}, finding,
                    counts_[finding] == enough ? sentence + "; and so on" : sentence);
  }

  Findings& findings_;
  SetId set_;
  std::string image_;
  std::map<std::string, std::uint64_t> counts_;
  std::uint64_t entry_ = 0;  // the head is entry 0
  std::uint64_t end_ = 0, last_vaddr_ = 0;
  std::uint64_t bits_ = 0;
};

void EntryCheck::runs(std::span<const PageRun> runs) {
  constexpr std::uint32_t known = PageRun::parent | PageRun::lazy | PageRun::present | PageRun::payload_aligned;
  for (const PageRun& run : runs) {
    ++entry_;
    bits_ |= run.vaddr;
    if (run.nr_pages == 0) add(run, "empty", "an entry of no pages");
    if (run.vaddr % smallest_page != 0) add(run, "alignment", "does not begin at a page");
    if ((run.flags & PageRun::payload_aligned) && !run.is_present()) add(run, "flags", "aligned, but not present");
    if (run.is_present() && run.is_parent()) add(run, "flags", "present, and in the parent");
    if (run.flags & ~known) add(run, "flags", formatted("flags 0x%x are not known", run.flags & ~known));
    if (entry_ > 1 && run.vaddr < last_vaddr_)
      add(run, "order", formatted("stands behind 0x%llx", Unsigned{last_vaddr_}));
    else if (run.vaddr < end_)
      add(run, "overlap", formatted("overlaps the entry before it, which ends at 0x%llx", Unsigned{end_}));
    last_vaddr_ = run.vaddr;
    end_ = run.end(smallest_page);
  }
}

class SetCheck {
 public:
  SetCheck(Findings& findings, SurveyedInputs& surveyed, SurveyedSet& set)
      : findings_{findings}, surveyed_{surveyed}, set_{set} {}
  void run(const std::map<const SurveyedMemory*, EntryCheck>& entries);

 private:
  void sizes();
  void blocks();
  void owners();
  void parents(const SurveyedMemory& memory);
  void in_parent(const SurveyedMemory& memory, const Stretch& stretch);

  Findings& findings_;
  SurveyedInputs& surveyed_;
  SurveyedSet& set_;
  struct PagesThere {
    std::string path;
    std::uint64_t nr_pages = 0;
  };
  PagesThere stored_pages(const Stretch& stretch);
  std::map<std::pair<std::uint32_t, std::uint64_t>, PagesThere> parent_pages_;  // by level and pages_id
};

void SetCheck::sizes() {
  std::map<std::uint64_t, const SurveyedMemory*> claims;
  std::set<std::uint64_t> compressed;
  for (const auto& [id, memory] : set_.memories) {
    const std::uint64_t pages_id = memory.pagemap.pages_id;
    if (memory.compressed) compressed.insert(pages_id);
    const auto [first, added] = claims.try_emplace(pages_id, &memory);
    if (!added)
      findings_.add({set_.id, memory.place}, "claimed",
                    pages_name(pages_id) + " is also that of " + first->second->place);
    const std::uint64_t claimed = memory.pagemap.stored(set_.page_size).bytes;
    const SurveyedPages* image = set_.image_of(memory);
    if (!image && claimed > 0 && !memory.alone)
      findings_.add(
          {set_.id, memory.place}, "missing",
          formatted("%s is missing; it should have %llu bytes", pages_name(pages_id).c_str(), Unsigned{claimed}));
    if (!image || image->size_bytes == claimed || !memory.complete) continue;
    findings_.add({set_.id, image->place}, "size",
                  formatted("%llu bytes, but the entries of %s make up %llu", Unsigned{image->size_bytes},
                            pagemap_name(id).c_str(), Unsigned{claimed}));
  }
  for (const auto& [pages_id, image] : set_.images) {
    if (!compressed.contains(pages_id) && !StoredSize{image.size_bytes}.is_whole(set_.page_size))
      findings_.add({set_.id, image.place}, "size",
                    formatted("%llu bytes are not a multiple of the page size %llu", Unsigned{image.size_bytes},
                              Unsigned{set_.page_size}));
    if (!image.claimed) findings_.add({set_.id, image.place}, "unclaimed", "no pagemap names it");
  }
}

// Blocks that do not decode. What is wrong with their lists is reported when they are read.
void SetCheck::blocks() {
  PageDirectory* const directory = set_.page_directory();
  for (const auto& [id, memory] : set_.memories) {
    const SurveyedPages* const image = set_.image_of(memory);
    if (!directory || !image || !memory.pagemap.layout || !memory.complete) continue;
    Error error;
    if (!directory->pagemap(id)) continue;
    const PagesImage* const file = directory->image(memory.pagemap.pages_id, set_.page_size, error);
    const auto placed = memory.pagemap.layout->placed(set_.page_size, error);
    std::vector<std::byte> content;
    for (std::uint64_t page = 0; file && placed && page < file->nr_pages();) {
      const StoredPages::Block block = placed->block_of(page);
      page = block.page + block.nr_pages;
      if (block.is_plain || block.size == 0) continue;
      content.resize(bytes_of_pages(block.nr_pages, set_.page_size));
      error = file->read(block.page, 0, content);
      if (error && error.reason != Reason::cut_pages)
        findings_.add({set_.id, image->place}, "block",
                      to_string(Error{error.reason, "", error.offset, Error::nowhere, error.want, error.have}));
    }
    set_.forget(id);
  }
}

// Tasks and mappings; a pre-dump has neither.
void SetCheck::owners() {
  const Users users = users_of(*set_.checkpoint);
  const bool has_tree = std::ranges::any_of(set_.checkpoint->tasks(), &Task::in_tree);
  if (!has_tree) return;
  for (const auto& [id, memory] : set_.memories) {
    const Task* task = task_of(set_, id);
    if (!id.shmem && !task) findings_.add({set_.id, memory.place}, "owner", "there is no such process");
    if (id.shmem && !users.contains(id) && !is_kept_unmapped(*set_.checkpoint, id) && memory.totals.entries > 0)
      findings_.add({set_.id, memory.place}, "owner", "no process maps this object");
    if (!task || !task->has_memory || task->memory.mappings.empty()) continue;
    const Pagemap* pagemap = surveyed_.pagemap(set_, id);
    const MappingIndex mappings{task->memory.mappings};
    for (std::size_t i = 0; pagemap && i < pagemap->runs.size(); ++i) {
      const PageRun& run = pagemap->runs[i];
      std::uint64_t at = run.vaddr;
      const std::uint64_t end = run.end(set_.page_size);
      for (const Mapping* mapping = nullptr; at < end && (mapping = mappings.at(at));) at = mapping->end;
      if (at < end) findings_.add({set_.id, memory.place, Error::nowhere, at}, "mapping", "pages in no mapping");
    }
  }
  for (const Task& task : set_.checkpoint->tasks())
    if (surveyed_.chosen({false, task.pid}) && task.in_tree && task.is_running() && task.has_memory &&
        !set_.memories.contains({false, task.pid}))
      findings_.add({set_.id, set_.place + pagemap_name({false, task.pid})}, "missing",
                    "the process has memory, but no pagemap");
}

void SetCheck::in_parent(const SurveyedMemory& memory, const Stretch& stretch) {
  if (stretch.where == Stretch::Where::missing || stretch.where == Stretch::Where::lazy) {
    std::string why = "which does not have them";
    if (stretch.level > 1) why += formatted(" (%u steps up)", stretch.level);
    if (stretch.where == Stretch::Where::lazy) why = "which left them behind for a lazy restore";
    else if (stretch.level == 0 && !set_.parent()) why = "but there is none";
    findings_.add({set_.id, memory.place, Error::nowhere, stretch.vaddr}, "parent",
                  pages_text(stretch.nr_pages) + " should be in the parent, " + why);
    return;
  }
  if (stretch.level == 0 || stretch.where != Stretch::Where::stored) return;
  const auto [known, added] = parent_pages_.try_emplace({stretch.level, stretch.pages_id});
  if (added) known->second = stored_pages(stretch);
  const auto& [path, nr_pages] = known->second;
  if (stretch.page + stretch.nr_pages > nr_pages)
    findings_.add({set_.id, memory.place, Error::nowhere, stretch.vaddr}, "parent",
                  pages_text(stretch.nr_pages) + " should be in " + path + ", which has " + pages_text(nr_pages));
}

// Which image of a parent holds the stretch, and how many pages are there.
SetCheck::PagesThere SetCheck::stored_pages(const Stretch& stretch) {
  const std::string name = pages_name(stretch.pages_id);
  if (const SurveyedSet* holder = set_.surveyed(stretch.level)) {
    const auto image = holder->images.find(stretch.pages_id);
    const std::uint64_t size = image == holder->images.end() ? 0 : image->second.size_bytes;
    return {holder->place + name, StoredSize{size}.nr_pages(set_.page_size)};
  }
  PageDirectory& parent = *set_.ancestor(stretch.level).page_directory();
  Error error;
  const PagesImage* image = parent.image(stretch.pages_id, set_.page_size, error);
  return {parent.path() + "/" + name, image ? image->nr_pages() : 0};
}

void SetCheck::parents(const SurveyedMemory& memory) {
  if (memory.totals.parent == 0 || memory.alone) return;
  if (!set_.page_directory() && !set_.has_given_parent()) {
    findings_.add({set_.id, memory.place}, "parent",
                  pages_text(memory.totals.parent) + " should be in the parent, which an archive does not have");
    return;
  }
  // What follows without a gap and lacks the same is one finding.
  std::optional<Stretch> open;
  const auto close = [&] {
    if (open) in_parent(memory, *open);
    open.reset();
  };
  visit_stretches(set_, memory.memory, set_.page_size, 0, max_address, [&](const Stretch& stretch) {
    if (!(stretch.flags & PageRun::parent)) return Step::go;
    const bool joins = open && open->where == stretch.where && open->level == stretch.level &&
                       stretch.where != Stretch::Where::stored && open->end(set_.page_size) == stretch.vaddr;
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

void SetCheck::run(const std::map<const SurveyedMemory*, EntryCheck>& entries) {
  if (set_.memories.empty() && set_.images.empty()) return;
  for (const auto& [id, memory] : set_.memories) {
    const auto entry = entries.find(&memory);
    if (entry != entries.end() && entry->second.bits_of_addresses() % set_.page_size / smallest_page != 0)
      findings_.add({set_.id, memory.place}, "alignment",
                    formatted("addresses are not multiples of the page size %llu", Unsigned{set_.page_size}));
    if (!id.shmem && !memory.named) continue;
    parents(memory);
  }
  if (!std::ranges::all_of(set_.memories, [](const auto& one) { return one.second.alone; })) sizes();
  owners();
  blocks();
  if (PageDirectory* directory = set_.page_directory())
    for (const Error& error : directory->errors())
      if (error.reason == Reason::bad_parents || error.reason == Reason::no_parent)
        findings_.add({set_.id, error.image}, "parent",
                      to_string(Error{error.reason, "", Error::nowhere, Error::nowhere, 0, 0, error.name}));
}

int run(Program& program) {
  Destination destination{program, Destination::Content::text};
  Findings findings{program, destination.output()};
  std::map<const SurveyedMemory*, EntryCheck> entries;
  const auto on_runs = [&](const SurveyedMemory& memory, std::span<const PageRun> runs) {
    entries.try_emplace(&memory, findings, memory).first->second.runs(runs);
    return Step::go;
  };
  // A damaged image is what is looked for; a file that cannot be read is not.
  const auto report = [&](const Error& error) {
    // SetCheck names them.
    if (error.reason == Reason::bad_parents || error.reason == Reason::bad_parent) return;
    if (error.reason == Reason::no_parent && !program.has("parent")) return;
    const bool no_input = error.reason == Reason::no_set || error.reason == Reason::no_images;
    if (no_input || fault_of(error.reason) != Fault::data) return program.report(error);
    Error inner = error;
    inner.image.clear();
    inner.entry = Error::nowhere;
    findings.add({error.set ? *error.set : SetId{{}, {}, true}, error.image, error.entry}, "damaged", to_string(inner));
  };
  SurveyedInputs surveyed{program, {.runs = true, .on_runs = on_runs, .report = report}};
  for (const auto& set : surveyed.sets()) SetCheck{findings, surveyed, *set}.run(entries);
  if (findings.count() > 0) program.set_exit_code(exit_no);
  return destination.commit();
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 90}};

}  // namespace

}  // namespace critpipe::filters
