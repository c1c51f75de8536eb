// Memory of processes: what the inputs hold, and ranges of addresses cut into pieces of pages images.
#include "memory/checkpoint_memory.hpp"

#include <algorithm>

#include "base/kept_errors.hpp"
#include "memory/ghost_file.hpp"

namespace critpipe {

namespace {

bool is_anonymous(const Mapping* mapping) {
  if (!mapping) return false;
  switch (mapping->kind()) {
    case Mapping::Kind::anon:
    case Mapping::Kind::heap:
    case Mapping::Kind::stack:
    case Mapping::Kind::shmem:
    case Mapping::Kind::sysv:
    case Mapping::Kind::memfd: return true;
    default: return false;
  }
}

// Keeps a pages image that cannot be read again.
class HoldPages final : public PagesSink {
 public:
  HoldPages(MemoryWork& work, MemorySet::Streamed& image) : work_{work}, image_{image} {}
  Step pass_over(std::uint64_t) override { return Step::stop; }

 protected:
  Step pages(std::uint64_t, Bytes bytes) override {
    work_.held_bytes += bytes.size();
    if (work_.held_bytes > work_.options.held_bytes) work_.over_limit = true;
    else image_.bytes.insert(image_.bytes.end(), bytes.begin(), bytes.end());
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

// Of a hole, what lies in one mapping after the other, or between two: cuts the piece there.
const Mapping* in_one_mapping(const MappingIndex& mappings, MemoryWork::Piece& piece) {
  const auto next = mappings.from(piece.vaddr);
  if (next == mappings.all().end()) return nullptr;
  const bool is_inside = (*next)->start <= piece.vaddr;
  piece.size = std::min(piece.size, (is_inside ? (*next)->end : (*next)->start) - piece.vaddr);
  return is_inside ? *next : nullptr;
}

bool is_ghost(std::string_view name) {
  const Kind* kind = kind_of_name(name);
  return kind && kind->name == "GHOST_FILE";
}

// Keeps an unlinked file that cannot be read again.
class HoldGhost final : public Sink {
 public:
  HoldGhost(MemoryWork& work, std::vector<MemorySet::HeldChunk>& chunks) : work_{work}, chunks_{chunks} {}
  Step begin(const Image& image) override {
    return image.kind && image.kind->name == "GHOST_FILE" ? Step::go : Step::stop;
  }
  Step entry(const Entry& entry) override {
    chunks_.push_back({ghost_offset(entry)});
    return Step::go;
  }
  Step bytes(Bytes bytes) override {
    work_.held_bytes += bytes.size();
    if (work_.held_bytes > work_.options.held_bytes) work_.over_limit = true;
    else chunks_.back().bytes.insert(chunks_.back().bytes.end(), bytes.begin(), bytes.end());
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

const Pagemap* MemorySet::pagemap(MemoryId memory) {
  if (directory) return directory->pagemap(memory);
  const auto found = pagemaps.find(memory);
  return found == pagemaps.end() ? nullptr : &found->second;
}

std::string directory_of(const Member& member) {
  return member.in_directory ? place_beside(member, "x").substr(0, place_beside(member, "x").size() - 2)
                             : std::string{};
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
  Error error{found.empty() ? Reason::no_parent : Reason::usage, source.inputs.front()};
  error.name = found.empty() ? "no pagemaps in here" : "a parent has one set of images, and here are several";
  report(error);
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

// What is wrong with a pagemap; a parent that is not there is said where its pages are asked for.
void MemoryWork::report_directory(MemorySet& set) {
  if (set.given_parent) report_directory(*set.given_parent);
  if (!set.directory) return;
  for (; set.nr_reported < set.directory->errors().size(); ++set.nr_reported) {
    const Error& error = set.directory->errors()[set.nr_reported];
    if (error.reason != Reason::no_parent && error.reason != Reason::bad_parents) report(error);
  }
}

Error MemoryWork::absence(const Range& range, const Stretch& stretch, std::uint64_t begin, std::uint64_t end) const {
  const Process& process = range.process;
  Error error{Reason::no_bytes, std::string{process.name}};
  char addresses[80];
  std::snprintf(addresses, sizeof addresses, "0x%llx-0x%llx of process %u ", static_cast<unsigned long long>(begin),
                static_cast<unsigned long long>(end), process.task->pid);
  error.name = addresses;
  const MappingIndex mappings{process.task->memory.mappings};
  const Mapping* mapping = mappings.at(begin);
  if (stretch.where == Stretch::Where::lazy) error.name += "were left behind for a lazy restore";
  else if (stretch.where == Stretch::Where::missing) error.name += "are in a parent that is not here, or lacks them";
  else if (!mapping) error.name += "are in no mapping";
  else if (mapping->kind() == Mapping::Kind::file)
    error.name += "are those of the file " + process.checkpoint->name_of(*mapping) + ", which is not in the checkpoint";
  else error.name += "are not stored: zeros, if nothing else is known of them";
  return error;
}

MemoryWork::Piece MemoryWork::piece_of(std::size_t range, MemorySet& set, std::uint64_t begin, std::uint64_t end,
                                       const Stretch& stretch) {
  Stretch there = stretch;
  MemorySet& holder = set.holder(there);
  return {range, &holder, begin, end - begin, there, begin - stretch.vaddr};
}

bool MemoryWork::cut(std::size_t number, const Range& range, const std::function<Step(const Piece&)>& piece,
                     const std::function<Step(Error)>& absent) {
  if (range.begin >= range.end) return true;
  MemorySet& set = set_of(range.process);
  const MappingIndex mappings{range.process.task->memory.mappings};
  std::uint64_t at = range.begin;
  const auto take = [&](const Stretch& stretch) {
    at = std::max(at, stretch.vaddr);
    const std::uint64_t end = std::min(range.end, stretch.end(set.page_size));
    Step step = Step::go;
    while (at < end && step == Step::go) {
      Piece next = piece_of(number, set, at, end, stretch);
      const bool is_hole = stretch.where == Stretch::Where::hole;
      const Mapping* mapping = is_hole ? in_one_mapping(mappings, next) : nullptr;
      if (mapping) next.ghost = range.process.checkpoint->ghost_of(*mapping);
      if (!next.ghost.empty()) {
        next.set = &set;
        next.ghost_offset = mapping->pgoff + (at - mapping->start);
      }
      const bool is_zero = range.absent == Absent::zero || (is_hole && range.absent == Absent::zero_holes) ||
                           (range.absent == Absent::zero_anonymous && is_anonymous(mapping));
      const bool is_there = stretch.where == Stretch::Where::stored || is_zero || !next.ghost.empty();
      step = is_there ? piece(next) : absent(absence(range, stretch, at, at + next.size));
      at += next.size;
    }
    return step;
  };
  const bool all =
      visit_stretches(set, *range.process.checkpoint, *range.process.task, set.page_size, range.begin, range.end, take);
  report_directory(set);
  return all;
}

Error MemoryWork::by_position(const Piece& piece, const TakePiece& take, Step& step) {
  if (!piece.ghost.empty()) return from_ghost(piece, take, step);
  std::vector<std::byte> block(std::min<std::uint64_t>(piece.size, block_bytes));
  for (std::uint64_t done = 0; done < piece.size && step == Step::go;) {
    const std::span<std::byte> here{block.data(), std::min<std::uint64_t>(block.size(), piece.size - done)};
    if (piece.is_stored()) {
      Error error = piece.set->directory->read(piece.stretch, piece.set->page_size, piece.skip + done, here);
      if (error) return error;
    }
    step = take(piece, done, here);
    done += here.size();
  }
  return {};
}

MemoryWork::MemoryWork(std::vector<std::string> inputs, MemoryOptions with, Report to)
    : options{std::move(with)}, report{to ? std::move(to) : [](const Error&) {}} {
  sources.push_back({std::move(inputs)});
  load();
}

CheckpointMemory::CheckpointMemory(std::vector<std::string> inputs, MemoryOptions options, Report report)
    : work_{std::make_unique<MemoryWork>(std::move(inputs), std::move(options), std::move(report))} {}
CheckpointMemory::~CheckpointMemory() = default;

std::span<const Process> CheckpointMemory::processes() const { return work_->processes; }

const Process* CheckpointMemory::find_process(std::uint32_t pid) const {
  const auto found = std::ranges::find(work_->processes, pid, [](const Process& one) { return one.task->pid; });
  return found == work_->processes.end() ? nullptr : &*found;
}

std::vector<CheckpointMemory::Range> CheckpointMemory::unlinked(const Process& process) const {
  std::vector<Range> ranges;
  const MappingIndex mappings{process.task->memory.mappings};
  for (const Mapping* mapping : mappings.all()) {
    if (process.checkpoint->ghost_of(*mapping).empty()) continue;
    const Range whole{process, mapping->start, mapping->end, Absent::zero};
    (void)work_->cut(
        0, whole,
        [&](const MemoryWork::Piece& piece) {
          if (!piece.ghost.empty()) ranges.push_back({process, piece.vaddr, piece.vaddr + piece.size, Absent::zero});
          return Step::go;
        },
        [](const Error&) { return Step::go; });
  }
  return ranges;
}

std::vector<Error> CheckpointMemory::absences(const Range& range) {
  std::vector<Error> errors;
  std::size_t room = max_kept_errors;
  (void)work_->cut(
      0, range, [](const MemoryWork::Piece&) { return Step::go; },
      [&](Error error) {
        keep_error(errors, std::move(error), room);
        return Step::go;
      });
  return errors;
}

Error CheckpointMemory::read(std::span<const Range> ranges, const TakeOf& take) {
  Error absent;
  std::vector<MemoryWork::Piece> pieces;
  for (std::size_t i = 0; i < ranges.size() && !absent; ++i)
    (void)work_->cut(
        i, ranges[i],
        [&](const MemoryWork::Piece& piece) {
          pieces.push_back(piece);
          return Step::go;
        },
        [&](Error error) {
          absent = std::move(error);
          return Step::stop;
        });
  Error error = work_->deliver(
      pieces, [&](const MemoryWork::Piece& piece, std::uint64_t, Bytes bytes) { return take(piece.range, bytes); });
  return error ? error : absent;
}

Error CheckpointMemory::read(const Range& range, std::string& bytes) {
  bytes.clear();
  return read({&range, 1}, [&](std::size_t, Bytes block) {
    bytes.append(reinterpret_cast<const char*>(block.data()), block.size());
    return Step::go;
  });
}

Error CheckpointMemory::read_stored(const Process& process, const Take& take) {
  Error first;
  const MemoryWork::TakePiece take_piece = [&](const MemoryWork::Piece& piece, std::uint64_t done, Bytes bytes) {
    return take(piece.vaddr + done, bytes);
  };
  std::vector<MemoryWork::Piece> pieces;  // of what comes only in the order of the images
  const auto piece = [&](const MemoryWork::Piece& one) {
    Step step = Step::go;
    if (!one.set->directory || work_->has_parents()) {
      pieces.push_back(one);
    } else if (Error error = work_->by_position(one, take_piece, step)) {
      if (!first) first = std::move(error);
    }
    return step;
  };
  const auto absent = [&](Error error) {
    if (!first) first = std::move(error);
    return Step::go;
  };
  work_->stored(process, piece, absent);
  if (pieces.empty()) return first;
  Error error = work_->deliver(pieces, take_piece);
  return first ? first : error;
}

// Of holes and lazy pages nothing is said.
void MemoryWork::stored(const Process& process, const std::function<Step(const Piece&)>& piece,
                        const std::function<Step(Error)>& absent) {
  MemorySet& set = set_of(process);
  const Range all{process, 0, max_address, Absent::refused};
  std::uint64_t at = 0;
  (void)visit_stretches(set, *process.checkpoint, *process.task, set.page_size, 0, max_address,
                        [&](const Stretch& stretch) {
                          const std::uint64_t begin = std::max(at, stretch.vaddr);
                          const std::uint64_t end = stretch.end(set.page_size);
                          at = std::max(at, end);
                          if (begin >= end) return Step::go;
                          if (stretch.where == Stretch::Where::stored)
                            return piece(piece_of(0, set, begin, end, stretch));
                          if (stretch.where == Stretch::Where::missing)
                            return absent(absence(all, stretch, begin, end));
                          return Step::go;
                        });
  report_directory(set);
}

}  // namespace critpipe
