// Mappings by address, and what shared objects hold for them.
#include "critpipe/process_memory.hpp"

#include <algorithm>

#include "model/model.hpp"

namespace critpipe {

std::optional<MemoryId> shared_object(const Checkpoint& checkpoint, const Mapping& mapping) {
  switch (mapping.kind()) {
    case Mapping::Kind::shmem:
    case Mapping::Kind::sysv: return MemoryId{true, mapping.shmid};
    case Mapping::Kind::memfd: {
      const File* file = checkpoint.file_of(mapping);
      if (!file) return {};
      const auto& memfds = model_of(checkpoint).memfds;
      const auto inode = memfds.find(number_of(*file, "inode_id"));
      if (inode == memfds.end()) return {};
      return MemoryId{true, inode->second.shmid};
    }
    default: return {};
  }
}

bool is_memfd(const Checkpoint& checkpoint, MemoryId memory) {
  return memory.shmem && std::ranges::any_of(model_of(checkpoint).memfds,
                                             [memory](const auto& memfd) { return memfd.second.shmid == memory.id && !memfd.second.is_anonymous(); });
}

MappingIndex::MappingIndex(std::span<const Mapping> mappings) {
  for (const Mapping& mapping : mappings)
    if (mapping.kind() != Mapping::Kind::guard && mapping.start < mapping.end) all_.push_back(&mapping);
  std::ranges::stable_sort(all_, {}, &Mapping::start);
}

std::vector<const Mapping*>::const_iterator MappingIndex::from(std::uint64_t vaddr) const {
  auto next = std::ranges::upper_bound(all_, vaddr, {}, &Mapping::start);
  if (next != all_.begin() && (*(next - 1))->end > vaddr) --next;
  return next;
}

const Mapping* MappingIndex::at(std::uint64_t vaddr) const {
  const auto found = from(vaddr);
  return found != all_.end() && (*found)->start <= vaddr ? *found : nullptr;
}

ProcessMemory::ProcessMemory(PageStore& store, const Checkpoint& checkpoint, const Task& task, std::uint64_t page_size)
    : store_{store},
      checkpoint_{checkpoint},
      page_size_{page_size},
      mappings_{task.memory.mappings},
      own_{store, {false, task.pid}, page_size} {}

bool ProcessMemory::stretches(std::uint64_t begin, std::uint64_t end, const MemoryReader::Visit& visit) {
  return own_.stretches(begin, end, [&](const Stretch& stretch) {
    if (stretch.where != Stretch::Where::hole) return visit(stretch);
    return fill(stretch, visit) ? Step::go : Step::stop;
  });
}

// The parts of a hole that mappings of shared objects cover.
bool ProcessMemory::fill(const Stretch& hole, const MemoryReader::Visit& visit) {
  const std::uint64_t end = hole.vaddr + hole.nr_pages * page_size_;
  std::uint64_t at = hole.vaddr;
  const auto leave = [&](std::uint64_t until) {
    if (at >= until) return true;
    Stretch rest = hole;
    rest.vaddr = at;
    rest.nr_pages = (until - at) / page_size_;
    return rest.nr_pages == 0 || visit(rest) == Step::go;
  };
  for (auto next = mappings_.from(at); next != mappings_.all().end() && (*next)->start < end; ++next) {
    const Mapping& mapping = **next;
    const auto object = shared_object(checkpoint_, mapping);
    const std::uint64_t from = std::max(at, mapping.start);
    const std::uint64_t to = std::min(end, mapping.end);
    if (!object || from >= to || mapping.pgoff > max_address - (to - mapping.start)) continue;
    if (!leave(from)) return false;
    // Differences of addresses and places in the object wrap around and back.
    const std::uint64_t shift = mapping.pgoff - mapping.start;
    MemoryReader reader{store_, *object, page_size_};
    const bool went_on = reader.stretches(from + shift, to + shift, [&](Stretch stretch) {
      stretch.vaddr -= shift;
      return visit(stretch);
    });
    if (!went_on) return false;
    at = to;
  }
  return leave(end);
}

}  // namespace critpipe
