// What the inputs of a CheckpointMemory hold: sets, their pagemaps, pages that cannot be read again, and parents.
#include <algorithm>

#include "memory/checkpoint_memory.hpp"
#include "memory/ghost_file.hpp"

namespace critpipe {

namespace {

// Keeps a pages image that cannot be read again.
class HoldPages final : public PagesSink {
 public:
  HoldPages(MemoryWork& work, MemorySet::Streamed& image) : work_{work}, image_{image} {}
  Step pass_over(std::uint64_t) override { return Step::stop; }

 protected:
  Step pages(std::uint64_t, Bytes bytes) override {
    work_.hold(bytes, image_.bytes);
    return Step::go;
  }
  Step done(std::uint64_t size_bytes) override {
    image_.held = !work_.over_limit;
    image_.nr_parts = pages_in(size_bytes, smallest_page);
    return Step::go;
  }

 private:
  MemoryWork& work_;
  MemorySet::Streamed& image_;
};

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

  bool wants(std::string_view name) override {
    if (work_.options.wanted && !work_.options.wanted(name)) return false;
    name.remove_prefix(name.rfind('/') + 1);
    if (is_ghost(name)) return work_.from_pipe;
    return !kind_of_name(name) || memory_of_name(name) || is_pages_name(name) || wants_.wants(name);
  }
  bool reads_raw() const override { return false; }  // sinks say it one by one
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override {
    source_.failed = true;
    work_.report(error);
  }

 private:
  bool is_held(const MemorySet& set, std::uint64_t pages_id) const;

  MemoryWork& work_;
  MemoryWork::Source& source_;
  const Checkpoint wants_{Needs{.mappings = true}};
};

// From a pipe, but for pages that are known to be those of a process that nobody asks for.
bool LoadSets::is_held(const MemorySet& set, std::uint64_t pages_id) const {
  return work_.from_pipe && std::ranges::none_of(set.pagemaps, [&](const auto& one) {
           const auto& [memory, pagemap] = one;
           return pagemap.pages_id == pages_id && !memory.shmem && work_.options.pids &&
                  !work_.options.pids(static_cast<std::uint32_t>(memory.id));
         });
}

std::unique_ptr<Sink> LoadSets::sink_for(const Member& member) {
  if (!member.is_image) return nullptr;
  MemorySet& set = work_.set_of(source_, member);
  if (const auto pages_id = pages_id_of_name(member.name)) {
    MemorySet::Streamed& image = set.images[*pages_id];
    image.place = member.place;
    if (set.directory || !is_held(set, *pages_id)) return nullptr;
    return std::make_unique<HoldPages>(work_, image);
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
    Pagemap& pagemap = set.pagemaps[*memory];
    pagemap.memory = *memory;
    return std::make_unique<PagemapLoader>(pagemap, [this, place = member.place](Error error) {
      error.image = place;
      report(error);
    });
  }
  return set.checkpoint.wants(member.name) ? set.checkpoint.sink_for(member.name) : nullptr;
}

}  // namespace

std::string directory_of(const Member& member) {
  if (!member.in_directory) return {};
  std::string path = place_beside(member, {});
  if (path.ends_with('/')) path.pop_back();
  return path;
}

const Pagemap* MemorySet::pagemap(MemoryId memory) {
  if (directory) return directory->pagemap(memory);
  const auto found = pagemaps.find(memory);
  return found == pagemaps.end() ? nullptr : &found->second;
}

PageStore* MemorySet::parent() {
  if (given_parent) return given_parent;
  return directory ? directory->parent() : nullptr;
}

MemorySet& MemorySet::holder(Stretch& stretch) {
  MemorySet* set = this;
  for (; stretch.level > 0 && set->given_parent; --stretch.level) set = set->given_parent;
  return *set;
}

void MemoryWork::hold(Bytes bytes, std::vector<std::byte>& to) {
  held_bytes += bytes.size();
  if (held_bytes > options.held_bytes) over_limit = true;
  else to.insert(to.end(), bytes.begin(), bytes.end());
}

MemorySet& MemoryWork::set_of(Source& source, const Member& member) {
  const auto [known, added] = source.numbers.try_emplace(*member.set, sets.size());
  if (!added) return *sets[known->second];
  MemorySet& set = *sets.emplace_back(std::make_unique<MemorySet>());
  set.id = *member.set;
  set.place = place_beside(member, {});
  set.directory_path = directory_of(member);
  if (!set.directory_path.empty()) set.directory = std::make_unique<PageDirectory>(set.directory_path, options.limits);
  return set;
}

void MemoryWork::load() {
  for (const std::string& parent : options.parents) sources.push_back({{parent}});
  options.source.stdin_offset = stdin_offset();
  const auto again = [this](const std::string& input) { return can_read_again(input, options.source); };
  for (const Source& source : sources) from_pipe |= !std::ranges::all_of(source.inputs, again);
  for (Source& source : sources) load(source);
  finish();
  if (has_parents()) link_parents();
}

// The set that is asked for is one of the user's inputs.
SourceOptions MemoryWork::options_of(const Source& source) const {
  SourceOptions all = options.source;
  if (&source != &sources.front()) all.set.reset();
  return all;
}

void MemoryWork::load(Source& source) {
  LoadSets loading{*this, source};
  Pieces pieces{source.inputs, options_of(source)};
  while (const auto piece = pieces.next())
    if (piece->read(loading) == Step::stop) break;
}

// The set with pagemaps, if it is the only one.
MemorySet* MemoryWork::parent_in(const Source& source) {
  std::vector<MemorySet*> found;
  for (const auto& [id, number] : source.numbers)
    if (!sets[number]->memories.empty() && !sets[number]->is_parent) found.push_back(sets[number].get());
  if (found.size() == 1) return found.front();
  if (found.empty() && source.failed) return nullptr;
  report(no_single_parent(source.inputs.front(), found.size()));
  return nullptr;
}

std::vector<MemorySet*> MemoryWork::children() {
  std::vector<MemorySet*> children;
  for (std::size_t i = 0; i < sources.front().numbers.size(); ++i)
    if (!sets[i]->memories.empty() && !sets[i]->is_parent) children.push_back(sets[i].get());
  return children;
}

void MemoryWork::link_parents() {
  const std::vector<MemorySet*> all = children();
  if (all.size() != 1) {
    Error error{Reason::usage};
    error.name = "parents go with one checkpoint, and the inputs have " + std::to_string(all.size());
    return report(error);
  }
  MemorySet* child = all.front();
  for (auto source = sources.begin() + 1; source != sources.end(); ++source) {
    MemorySet* parent = parent_in(*source);
    if (!parent) return;
    parent->page_size = child->page_size;
    child->given_parent = parent;
    child = parent;
  }
  child = all.front();
  const std::vector<MemoryId> memories{child->memories.begin(), child->memories.end()};
  check_parents(*child, memories, child->page_size, options.parents, report);
  report_directory(*child);
}

void MemoryWork::join_parents() {
  std::vector<SetId> ids;
  for (const auto& set : sets) ids.push_back(set->id);
  const std::vector<std::size_t> parents = parents_among(ids);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (parents[i] == sets.size() || sets[i]->directory) continue;
    sets[i]->given_parent = sets[parents[i]].get();
    sets[i]->given_parent->is_parent = true;
  }
}

// The memory of a parent is that of the set which it is the parent of.
void MemoryWork::finish() {
  join_parents();
  std::vector<SetId> ids;
  for (const auto& set : sets)
    if (!set->is_parent) ids.push_back(set->id);
  const std::vector<std::string> names = texts_of(ids);
  auto name = names.begin();
  for (std::size_t i = 0; i < sets.size(); ++i) {
    MemorySet& set = *sets[i];
    const bool is_parent = set.is_parent || i >= sources.front().numbers.size();
    set.name = set.is_parent ? set.id.text() : *name++;
    set.checkpoint.finish(set.directory_path.empty() ? "" : set.directory_path + "/");
    set.page_size = options.page_size != 0 ? options.page_size : set.checkpoint.page_size();
    for (const MemoryId memory : set.memories) {
      if (memory.shmem || is_parent) continue;
      const auto pid = static_cast<std::uint32_t>(memory.id);
      if (options.pids && !options.pids(pid)) continue;
      const Task* task = set.checkpoint.find_task(pid);
      if (!task) {
        unknown.emplace_back().pid = pid;
        task = &unknown.back();
      }
      processes.push_back({task, &set.checkpoint, &set.id, set.name, set.place});
    }
  }
}

}  // namespace critpipe
