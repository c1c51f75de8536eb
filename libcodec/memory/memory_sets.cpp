// What the inputs of a CheckpointMemory hold: sets, their pagemaps, pages that cannot be read again, and parents.
#include <algorithm>
#include <array>
#include <unistd.h>

#include "base/path_names.hpp"
#include "memory/checkpoint_memory.hpp"
#include "memory/ghost_file.hpp"
#include "memory/join_parents.hpp"
#include "memory/page_size_of_chain.hpp"
#include "memory/text_places.hpp"
#include "model/model.hpp"
#include "pages/held_pages.hpp"

namespace critpipe {

namespace {

// Keeps what is wanted of a pages image that cannot be read again.
class HoldPages final : public Sink {
 public:
  HoldPages(MemoryWork& work, MemorySet::Streamed& image, std::shared_ptr<HeldPages> held)
      : work_{work}, image_{image}, held_{std::move(held)} {
    image_.part.held = held_;
  }
  Step pass_over(std::uint64_t) override { return Step::stop; }
  Step entry(const Entry&) override { return Step::go; }
  Step raw(Bytes bytes) override {
    held_->take(bytes);
    if (!held_->lacks_room()) return Step::go;
    work_.over_limit = true;
    image_.part.held = nullptr;
    return Step::go;
  }

 private:
  MemoryWork& work_;
  MemorySet::Streamed& image_;
  std::shared_ptr<HeldPages> held_;
};

// How large is a pages image that says it nowhere?
class CountPages final : public Sink {
 public:
  explicit CountPages(std::uint64_t& size) : size_{size} { size_ = 0; }
  Step pass_over(std::uint64_t size) override {
    size_ += size;
    return Step::go;
  }
  Step entry(const Entry&) override { return Step::go; }
  Step raw(Bytes bytes) override { return pass_over(bytes.size()); }
  void fail(const Error&) override { size_ = Member::unknown; }

 private:
  std::uint64_t& size_;
};

// The file that the member is a part of; null: it has no place in one, or too many are open.
std::shared_ptr<const InputFile> file_of(MemoryWork::Source& source, const Member& member,
                                         const SourceOptions& options) {
  constexpr std::size_t most_files = 64;
  if (member.at == Member::unknown || member.size == Member::unknown) return nullptr;
  const auto known = source.files.find(member.set->checkpoint);
  if (known != source.files.end()) return known->second;
  if (source.files.size() == most_files) return nullptr;
  const std::vector<InputName> names = options.names.empty() ? name_inputs(source.inputs) : options.names;
  const auto name = std::ranges::find(names, member.set->checkpoint, &InputName::checkpoint);
  if (name == names.end()) return nullptr;
  Error error;
  InputFile file = name->input == "-" ? InputFile{STDIN_FILENO, "-"} : InputFile::at(name->input, error);
  return source.files[member.set->checkpoint] = error ? nullptr : std::make_shared<const InputFile>(std::move(file));
}

bool is_ghost(const Kind* kind) { return kind && kind->name == "GHOST_FILE"; }
bool is_ghost(std::string_view name) { return is_ghost(kind_of_name(name)); }

// Keeps an unlinked file that cannot be read again.
class HoldGhost final : public Sink {
 public:
  HoldGhost(MemoryWork& work, std::vector<MemorySet::HeldChunk>& chunks) : work_{work}, chunks_{chunks} {}
  Step begin(const Image& image) override { return is_ghost(image.kind) ? Step::go : Step::stop; }
  Step entry(const Entry& entry) override {
    chunks_.push_back({ghost_offset(entry)});
    return Step::go;
  }
  Step bytes(Bytes bytes) override {
    work_.hold(bytes, chunks_.back().bytes);
    return Step::go;
  }

 private:
  MemoryWork& work_;
  std::vector<MemorySet::HeldChunk>& chunks_;
};

// The first pass over the inputs.
class LoadSets final : public Decoding {
 public:
  LoadSets(MemoryWork& work, MemoryWork::Source& source)
      : Decoding{work.options.limits}, work_{work}, source_{source} {}

  bool wants(const Member& member) override {
    const std::string& name = member.name;
    if (name == "parent") return true;
    if (work_.options.wanted && !work_.options.wanted(member.path)) return false;
    if (is_ghost(name)) return work_.from_pipe;
    return !kind_of_name(name) || memory_of_name(name) || is_pages_name(name) || wants_.wants(name);
  }
  bool reads_raw() const override { return false; }  // sinks say it one by one
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override {
    source_.failed = true;
    work_.note(error);
    work_.cut_inputs.note(error);
    work_.report(error);
  }

 private:
  bool is_held(const MemorySet& set, std::uint64_t pages_id) const;
  bool want_texts(HeldPages& held, MemorySet& set, std::uint64_t pages_id) const;
  std::unique_ptr<Sink> sink_for_pages(const Member& member, MemorySet& set, MemorySet::Streamed& image,
                                       std::uint64_t pages_id) const;

  MemoryWork& work_;
  MemoryWork::Source& source_;
  const Checkpoint wants_{work_.needs()};  // empty: tells which images the others take
};

// From a pipe, but for pages that are known to be those of a process that nobody asks for.
bool LoadSets::is_held(const MemorySet& set, std::uint64_t pages_id) const {
  return work_.from_pipe && std::ranges::none_of(set.pagemaps.index().of(pages_id), [&](const Pagemap& pagemap) {
           return !pagemap.memory.shmem && work_.options.pids &&
                  !work_.options.pids(static_cast<std::uint32_t>(pagemap.memory.id));
         });
}

std::array<TextPlace, 2> text_places(const AddressSpace& space) {
  return {arguments_place(space, max_texts_bytes), environment_place(space, max_texts_bytes)};
}

// May texts be in shared objects? They may, as long as no address space has come.
bool may_share_texts(MemorySet& set) {
  if (set.has_shared_texts) return *set.has_shared_texts;
  bool is_known = false, is_any = false;
  for (const auto& [pid, task] : model_of(set.checkpoint).collected) {
    is_known = is_known || task.has_memory;
    for (const TextPlace text : text_places(task.memory))
      is_any = is_any || std::ranges::any_of(task.memory.mappings, [&](const Mapping& mapping) {
                 const bool is_object = mapping.kind() != Mapping::Kind::file && !mapping.is_anonymous();
                 return (is_object || mapping.is_shared()) && mapping.start < text.end && text.begin < mapping.end;
               });
  }
  if (is_known) set.has_shared_texts = is_any;
  return !is_known || is_any;
}

// Of pages that come behind the images which tell what they are, only command lines and environments, if nothing else
// is asked for. A set that lacks the address space of a process is the parent of one that has it.
bool LoadSets::want_texts(HeldPages& held, MemorySet& set, std::uint64_t pages_id) const {
  if (work_.options.content != MemoryOptions::Content::texts) return false;
  const auto pagemaps = set.pagemaps.index().of(pages_id);
  if (pagemaps.empty() || !std::ranges::all_of(pagemaps, &Pagemap::is_complete)) return false;
  for (const Pagemap& pagemap : pagemaps) {
    if (pagemap.memory.shmem && may_share_texts(set)) return false;
    if (pagemap.memory.shmem) continue;
    bool is_told = false;
    const auto want = [&](const MemorySet& of) {
      const AddressSpace* const space = space_of(of.checkpoint, static_cast<std::uint32_t>(pagemap.memory.id));
      if (!space) return true;
      is_told = true;
      const std::uint64_t page_size = of.checkpoint.page_size(work_.options.page_size);
      return std::ranges::all_of(text_places(*space), [&](TextPlace text) {
        return held.want(pagemap.runs, pagemap.layout.get(), page_size, text.begin, text.end);
      });
    };
    if (!want(set)) return false;
    if (is_told && generation_of(set.id.set).number == 0) continue;
    for (const MemoryWork::Source& source : work_.sources)
      for (const auto& other : source.sets.all())
        if (other.get() != &set && !want(*other)) return false;
    if (!is_told) return false;
  }
  return true;
}

// Of those that cannot be read by position; null: nothing but their size is wanted, which is known.
std::unique_ptr<Sink> LoadSets::sink_for_pages(const Member& member, MemorySet& set, MemorySet::Streamed& image,
                                               std::uint64_t pages_id) const {
  if (!is_held(set, pages_id))
    return member.size == Member::unknown ? std::make_unique<CountPages>(image.part.size) : nullptr;
  auto held = std::make_shared<HeldPages>(work_.room);
  if (!want_texts(*held, set, pages_id)) held->want_all();
  return std::make_unique<HoldPages>(work_, image, std::move(held));
}

std::unique_ptr<Sink> LoadSets::sink_for(const Member& member) {
  if (!member.is_image) return parent_link_sink(source_.sets, member);
  MemorySet& set = source_.sets.of(member, [&] {
    auto made = std::make_unique<MemorySet>();
    made->checkpoint = Checkpoint{work_.needs()};
    if (!member.directory.empty())
      made->directory = std::make_unique<PageDirectory>(member.directory, work_.options.limits);
    return made;
  });
  if (const auto pages_id = pages_id_of_name(member.name)) {
    MemorySet::Streamed& image = set.images[*pages_id];
    image.place = member.place;
    set.checkpoint.note(member.name);
    image.order = work_.nr_images++;
    if (set.directory) return nullptr;
    image.part = {file_of(source_, member, work_.options.source), member.at, member.size};
    if (image.part.file && image.part.file->fd() == STDIN_FILENO) image.part.begin += work_.options.source.stdin_offset;
    if (image.part.file) return nullptr;
    return set.pages_to_try.sink_for(member, set.checkpoint.kind() == SetKind::checkpoint, work_.room_to_try,
                                     [&] { return sink_for_pages(member, set, image, *pages_id); });
  }
  if (const Error error = fault_of_pages(member)) report(error);
  if (is_ghost(member.name)) {
    const bool is_new = !set.directory && !set.ghosts.contains(member.name);
    return is_new ? std::make_unique<HoldGhost>(work_, set.ghosts[member.name]) : nullptr;
  }
  if (const auto memory = memory_of_name(member.name)) {
    set.memories.insert(*memory);
    set.checkpoint.note(member.name);
    if (set.directory) return nullptr;
    return set.pagemaps.load(*memory, [this, place = member.place](Error error) {
      error.image = place;
      report(error);
    });
  }
  if (member.name.starts_with("mm-")) set.has_shared_texts.reset();
  if (set.checkpoint.wants(member.name)) return set.checkpoint.sink_for(member.name);
  // What no name tells is at least an image.
  return member.in_set || kind_of_name(member.name) ? nullptr : std::make_unique<Stage>(nullptr);
}

}  // namespace

const Pagemap* MemorySet::pagemap(MemoryId memory) {
  return directory ? directory->pagemap(memory) : pagemaps.find(memory);
}

std::shared_ptr<const StoredPages> MemorySet::blocks_of(std::uint64_t pages_id, std::uint64_t with_page_size,
                                                        Error& error) const {
  auto blocks = pagemaps.index().blocks_of(pages_id, with_page_size, error);
  if (error) error.image = place + error.image;
  return blocks;
}

bool MemorySet::has_part(std::uint64_t pages_id) const {
  const auto found = images.find(pages_id);
  return found != images.end() && found->second.part.is_there();
}

const PagesImage* MemorySet::image(std::uint64_t pages_id, std::uint64_t with_page_size, Error& error) {
  Streamed& image = images.at(pages_id);
  if (!image.opened || image.opened->page_size() != with_page_size) {
    auto blocks = blocks_of(pages_id, with_page_size, error);
    if (error) return nullptr;
    image.opened = std::make_unique<PagesImage>(image.part, image.place, with_page_size, std::move(blocks));
  }
  return image.opened.get();
}

std::uint64_t MemorySet::stored_bytes(std::uint64_t pages_id) const {
  if (!directory) {
    const auto found = images.find(pages_id);
    if (found == images.end()) return Member::unknown;
    return found->second.part.held ? found->second.part.held->size() : found->second.part.size;
  }
  Error error;
  const InputFile file = directory->open(pages_name(pages_id), error);
  return error ? Member::unknown : file.size();
}

std::unique_ptr<const PagesImage> MemorySet::stored_image(std::uint64_t pages_id) {
  if (directory) return PageStore::stored_image(pages_id);
  if (!has_part(pages_id)) return pages_to_try.stored_image(pages_id);
  const Streamed& image = images.at(pages_id);
  return std::make_unique<PagesImage>(image.part, image.place, smallest_page);
}

// The first pass names what is wrong with an input. Another says only what is new, and nothing where there is more than
// anybody reads.
bool MemoryWork::note(const Error& error) {
  return known.size() < max_kept_errors && known.emplace(error.reason, error.image).second;
}

void MemoryWork::hold(Bytes bytes, HeldBytes& to) {
  over_limit = over_limit || bytes.size() > room;
  if (over_limit) return;
  room -= bytes.size();
  to.append(bytes);
}

void MemoryWork::load() {
  for (const std::string& parent : options.parents) sources.push_back({{parent}});
  if (options.source.stdin_offset == Member::unknown) options.source.stdin_offset = stdin_offset();
  options.source.parents = true;
  options.source.parent_sets = linked_sets(sources.front().inputs, options.source);
  const auto again = [this](const std::string& input) { return can_read_again(input, options.source); };
  for (const Source& source : sources) from_pipe |= !std::ranges::all_of(source.inputs, again);
  for (Source& source : sources) load(source);
  finish();
  if (has_parents()) link_parents();
}

Needs MemoryWork::needs() const {
  Needs needs = needs_of_memory();
  needs.kinds.insert(needs.kinds.end(), options.kinds.begin(), options.kinds.end());
  return needs;
}

// The set that is asked for is one of the user's inputs.
SourceOptions MemoryWork::options_of(const Source& source) const {
  SourceOptions all = options.source;
  if (&source != &sources.front()) all.set.reset();
  return all;
}

void MemoryWork::load(Source& source) {
  LoadSets loading{*this, source};
  (void)read_inputs(source.inputs, loading, options_of(source));
}

// The set with pagemaps, if it is the only one.
MemorySet* MemoryWork::parent_in(const Source& source) {
  std::vector<MemorySet*> found;
  for (const auto& set : source.sets.all())
    if (!set->memories.empty() && !set->is_parent) found.push_back(set.get());
  if (found.size() == 1) return found.front();
  if (found.empty() && source.failed) return nullptr;
  report(no_single_parent(source.inputs.front(), found.size()));
  return nullptr;
}

std::vector<MemorySet*> MemoryWork::children() {
  std::vector<MemorySet*> children;
  for (const auto& set : sources.front().sets.all())
    if (!set->memories.empty() && !set->is_parent) children.push_back(set.get());
  return children;
}

void MemoryWork::link_parents() {
  const std::vector<MemorySet*> all = children();
  if (all.empty() && sources.front().failed) return;
  if (all.size() != 1) {
    Error error{Reason::usage};
    error.name = "parents go with one checkpoint, and the inputs have " + std::to_string(all.size());
    return report(error);
  }
  MemorySet* child = all.front();
  for (auto source = sources.begin() + 1; source != sources.end(); ++source) {
    MemorySet* parent = parent_in(*source);
    if (!parent) return;
    child->give_parent(*parent);
    child = parent;
  }
  child = all.front();
  learn_page_size(*child);
  const std::vector<MemoryId> memories{child->memories.begin(), child->memories.end()};
  check_parents(*child, memories, child->page_size, options.parents, report);
  report_directory(*child);
}

void MemoryWork::finish() {
  std::vector<MemorySet*> named;  // but parents, whose memory is that of the set which they are the parent of
  for (const Source& source : sources) {
    for (MemorySet* parent : join_parents(source.sets, options_of(source).set)) parent->is_parent = true;
    for (const auto& set : source.sets.all())
      if (!set->is_parent) named.push_back(set.get());
  }
  const std::vector<std::string> names = set_texts(ids_of(named));
  for (std::size_t i = 0; i < named.size(); ++i) named[i]->name = names[i];
  for (const Source& source : sources)
    for (const auto& set : source.sets.all()) {
      if (set->is_parent) set->name = set->id.text();
      set->checkpoint.finish(set->directory ? set->place : "",
                             !cut_inputs.may_lack(set->id, set->directory != nullptr));
      const bool is_of_processes = !set->is_parent && &source == &sources.front();
      learn_page_size(*set);
      if (!is_of_processes) continue;
      report_missing(*set);
      add_processes(*set);
    }
}

void MemoryWork::learn_page_size(MemorySet& set) const {
  if (options.page_size == 0)
    critpipe::learn_page_size(set.checkpoint, set, {set.memories.begin(), set.memories.end()});
  set.page_size = set.checkpoint.page_size(options.page_size);
}

void MemoryWork::report_missing(const MemorySet& set) {
  const auto has_memory = [](const auto& one) { return !one->is_parent && !one->memories.empty(); };
  const bool is_empty = set.memories.empty() && set.images.empty() && !set.checkpoint.tasks().empty();
  if (is_empty && !options.pids && std::ranges::any_of(sources.front().sets.all(), has_memory))
    report({Reason::no_pagemaps, set.id.text()});
  const auto has_pagemap = [&](MemoryId memory) { return set.memories.contains(memory); };
  const PartsWanted wanted{.place = set.place,
                           .comms = options.comms,
                           .has_pagemap = has_pagemap,
                           .pids = options.pids,
                           .selects = options.wanted};
  for (const Error& error : missing_parts(set.checkpoint, wanted)) report(error);
}

void MemoryWork::add_processes(MemorySet& set) {
  for (const MemoryId memory : set.memories) {
    const auto pid = static_cast<std::uint32_t>(memory.id);
    if (memory.shmem || (options.pids && !options.pids(pid))) continue;
    const Task* task = set.checkpoint.find_task(pid);
    if (!task) {
      unknown.emplace_back().pid = pid;
      task = &unknown.back();
    }
    processes.push_back({task, &set.checkpoint, &set.id, set.name, set.place});
  }
}

}  // namespace critpipe
