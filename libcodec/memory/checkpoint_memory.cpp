// Memory of processes: ranges of addresses cut into pieces of pages images.
#include "memory/checkpoint_memory.hpp"

#include <algorithm>

#include "base/kept_errors.hpp"
#include "memory/ghost_file.hpp"
#include "memory/read_ahead.hpp"

namespace critpipe {

namespace {

// Of a hole, what lies in one mapping after the other, or between two: cuts the piece there.
const Mapping* in_one_mapping(const MappingIndex& mappings, MemoryWork::Piece& piece) {
  const auto next = mappings.from(piece.vaddr);
  if (next == mappings.all().end()) return nullptr;
  const bool is_inside = (*next)->start <= piece.vaddr;
  piece.size = std::min(piece.size, (is_inside ? (*next)->end : (*next)->start) - piece.vaddr);
  return is_inside ? *next : nullptr;
}

}  // namespace

// A missing parent is reported when its pages are asked for.
void MemoryWork::report_directory(PageStore& store) {
  if (store.has_given_parent()) report_directory(*store.parent());
  if (!store.page_directory()) return;
  for (const Error& error : store.page_directory()->new_errors())
    if (error.reason != Reason::no_parent && error.reason != Reason::bad_parents) report(error);
}

const MappingIndex& MemoryWork::mappings_of(const Task& task) const {
  if (std::exchange(indexed_, &task) != &task) index_ = MappingIndex{task.memory.mappings};
  return index_;
}

Error MemoryWork::absence(const Range& range, const Stretch& stretch, std::uint64_t begin, std::uint64_t end) const {
  const Process& process = range.process;
  Error error{Reason::no_bytes, process.set->text()};
  error.name = format("0x%llx-0x%llx of process %u ", static_cast<unsigned long long>(begin),
                      static_cast<unsigned long long>(end), process.task->pid);
  const Mapping* mapping = mappings_of(*process.task).at(begin);
  if (stretch.where == Stretch::Where::lazy) error.name += "were left behind for a lazy restore";
  else if (stretch.where == Stretch::Where::missing) error.name += "are in a parent that is not here, or lacks them";
  else if (!set_of(process).pagemap({false, process.task->pid}))
    error.name += "are not known: there is no pagemap of it that can be read";
  else if (!mapping) error.name += "are in no mapping";
  else if (mapping->kind() == Mapping::Kind::file)
    error.name += "are those of the file " + process.checkpoint->name_of(*mapping) + ", which is not in the checkpoint";
  else error.name += "are not stored: zeros, if nothing else is known of them";
  return error;
}

MemoryWork::Piece MemoryWork::piece_of(std::size_t range, MemorySet& set, std::uint64_t begin, std::uint64_t end,
                                       const Stretch& stretch) {
  PageStore& store = set.ancestor(stretch.level);
  PageDirectory* const directory = store.page_directory();
  MemorySet* const other = directory ? nullptr : static_cast<MemorySet*>(&store);
  const bool is_part = other && other->has_part(stretch.pages_id);
  return {.range = range,
          .set = &set,
          .directory = directory,
          .archive = is_part ? other : nullptr,
          .stream = is_part ? nullptr : other,
          .vaddr = begin,
          .size = end - begin,
          .stretch = stretch,
          .skip = begin - stretch.vaddr};
}

const PagesImage* MemoryWork::Piece::image(Error& error) const {
  if (archive) return archive->image(stretch.pages_id, set->page_size, error);
  (void)directory->pagemap(stretch.memory);  // which says how the image is stored
  return directory->image(stretch.pages_id, set->page_size, error);
}

bool MemoryWork::cut(std::size_t number, const Range& range, const std::function<Step(const Piece&)>& piece,
                     const std::function<Step(Error)>& absent) {
  if (range.begin >= range.end) return true;
  MemorySet& set = set_of(range.process);
  const MappingIndex& mappings = mappings_of(*range.process.task);
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
      if (!next.ghost.empty()) next.ghost_offset = mapping->pgoff + (at - mapping->start);
      const bool is_zero = range.absent == Absent::zero || (is_hole && range.absent == Absent::zero_holes) ||
                           (range.absent == Absent::zero_anonymous && mapping && mapping->is_anonymous());
      const bool is_there = stretch.where == Stretch::Where::stored || is_zero || !next.ghost.empty();
      step = is_there ? piece(next) : absent(absence(range, stretch, at, at + next.size));
      at += next.size;
    }
    return step;
  };
  const bool all = visit_stretches(set, *range.process.checkpoint, *range.process.task, mappings, set.page_size,
                                   range.begin, range.end, take);
  report_directory(set);
  return all;
}

Error MemoryWork::by_position(const Piece& piece, const TakePiece& take, Step& step, const OnError& lost) {
  const auto give_up = [&](Error error) {
    if (!lost || !error) return error;
    lost(error);
    return Error{};
  };
  if (!piece.ghost.empty()) return give_up(from_ghost(piece, take, step));
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size, block_bytes));
  const auto block = std::make_unique_for_overwrite<std::byte[]>(most);
  if (!piece.is_stored()) std::fill_n(block.get(), most, std::byte{0});
  for (std::uint64_t done = 0; done < piece.size && step == Step::go;) {
    const std::span<std::byte> here{block.get(), std::min<std::uint64_t>(most, piece.size - done)};
    Error error;
    std::size_t taken = 0;
    if (piece.is_stored()) {
      const PagesImage* const image = piece.image(error);
      if (!image) return give_up(error);
      const std::uint64_t position = content_position(piece.stretch.page, image->page_size(), piece.skip + done);
      image->read_content(position, here, [&](std::size_t begin, std::size_t end, const Error& why) {
        if (step == Step::stop || (error && !lost)) return;
        if (begin > taken) step = take(piece, done + taken, here.subspan(taken, begin - taken));
        if (step == Step::stop) return;
        taken = end;
        error = why;
        if (lost) lost(why);
      });
    }
    // Behind the end of the image there is nothing.
    if (error && (!lost || error.reason == Reason::cut_pages)) return lost ? Error{} : error;
    if (taken < here.size() && step == Step::go) step = take(piece, done + taken, here.subspan(taken));
    done += here.size();
  }
  return {};
}

MemoryWork::MemoryWork(std::vector<std::string> inputs, MemoryOptions with, OnError to)
    : options{std::move(with)}, report{to ? std::move(to) : [](const Error&) {}} {
  sources.push_back({std::move(inputs)});
  load();
}

CheckpointMemory::CheckpointMemory(std::vector<std::string> inputs, MemoryOptions options, OnError report)
    : work_{std::make_unique<MemoryWork>(std::move(inputs), std::move(options), std::move(report))} {}
CheckpointMemory::~CheckpointMemory() = default;

std::span<const Process> CheckpointMemory::processes() const { return work_->processes; }

const Process* CheckpointMemory::find_process(std::uint32_t pid) const {
  const auto found = std::ranges::find(work_->processes, pid, [](const Process& one) { return one.task->pid; });
  return found == work_->processes.end() ? nullptr : &*found;
}

std::vector<CheckpointMemory::Range> CheckpointMemory::unlinked(const Process& process) const {
  std::vector<Range> ranges;
  for (const Mapping* mapping : work_->mappings_of(*process.task).all()) {
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

Error MemoryWork::read(std::span<const Range> ranges, const TakePiece& take, const OnError& lost) {
  Error absent;
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < ranges.size() && !absent; ++i)
    (void)cut(
        i, ranges[i],
        [&](const Piece& piece) {
          pieces.push_back(piece);
          return Step::go;
        },
        [&](Error error) {
          if (lost) lost(error);
          else absent = std::move(error);
          return lost ? Step::go : Step::stop;
        });
  Error error = deliver(pieces, take, lost);
  return error ? error : absent;
}

Error CheckpointMemory::read(std::span<const Range> ranges, const OnBytesOf& take) {
  return work_->read(
      ranges, [&](const MemoryWork::Piece& piece, std::uint64_t, Bytes bytes) { return take(piece.range, bytes); });
}

Error CheckpointMemory::read(const Range& range, std::string& bytes) {
  bytes.clear();
  return read({&range, 1}, [&](std::size_t, Bytes block) {
    bytes.append(reinterpret_cast<const char*>(block.data()), block.size());
    return Step::go;
  });
}

std::vector<StoredSet> CheckpointMemory::sets() {
  constexpr std::uint64_t most_kept = 1 << 17;  // runs and blocks of pagemaps that need not be read again
  std::uint64_t nr_read = 0;
  std::vector<StoredSet> all;
  for (MemorySet* const set : work_->children()) {
    StoredSet one{
        .id = &set->id, .place = set->place, .checkpoint = &set->checkpoint, .store = set, .page_size = set->page_size};
    std::vector<std::pair<std::uint64_t, MemoryId>> order;
    for (const MemoryId memory : set->memories)
      if (const Pagemap* const pagemap = set->pagemap(memory)) {
        order.emplace_back(pagemap->pages_id, memory);
        one.is_compressed |= static_cast<bool>(pagemap->layout);
        nr_read += pagemap->runs.size() + pagemap->all_blocks().count;
        if (set->directory && nr_read > most_kept) set->directory->forget(memory);
      }
    std::ranges::sort(order);
    for (const auto& [pages_id, memory] : order) {
      one.memories.push_back(memory);
      one.pages_ids.push_back(pages_id);
      one.pages_bytes.push_back(set->stored_bytes(pages_id));
    }
    work_->report_directory(*set);
    all.push_back(std::move(one));
  }
  return all;
}

Error CheckpointMemory::read(const StoredSet& set, std::span<const Stretch> stretches, const OnBytesOf& take,
                             unsigned nr_threads) {
  MemorySet& memory = *work_->sources.front().sets.find(*set.id);
  std::vector<MemoryWork::Piece> pieces;
  for (std::size_t i = 0; i < stretches.size(); ++i)
    pieces.push_back(
        MemoryWork::piece_of(i, memory, stretches[i].vaddr, stretches[i].end(set.page_size), stretches[i]));
  const MemoryWork::TakePiece take_piece = [&](const MemoryWork::Piece& piece, std::uint64_t, Bytes bytes) {
    return take(piece.range, bytes);
  };
  if (Error error = work_->unpack(pieces)) return error;
  bool is_done = false;
  Error error = read_ahead(pieces, nr_threads, take_piece, is_done);
  if (!is_done) error = work_->deliver(pieces, take_piece);
  work_->report_directory(memory);
  return error;
}

Error CheckpointMemory::read_stored(const Process& process, const OnBytes& take) {
  Error first;
  const MemoryWork::TakePiece take_piece = [&](const MemoryWork::Piece& piece, std::uint64_t done, Bytes bytes) {
    return take(piece.vaddr + done, bytes);
  };
  const auto lost = [&](const Error& error) {
    if (!first) first = error;
  };
  std::vector<MemoryWork::Piece> pieces;  // of what comes only in the order of the images
  const auto piece = [&](const MemoryWork::Piece& one) {
    Step step = Step::go;
    if (one.stream || work_->has_parents()) pieces.push_back(one);
    else (void)work_->by_position(one, take_piece, step, lost);
    return step;
  };
  const auto absent = [&](const Error& error) {
    lost(error);
    return Step::go;
  };
  work_->stored(process, piece, absent);
  if (pieces.empty()) return first;
  Error error = work_->deliver(pieces, take_piece, lost);
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
