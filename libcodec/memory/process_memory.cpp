// Mappings by address, and what shared objects hold for them.
#include "critpipe/memory.hpp"

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

namespace {

bool is_memfd(const Checkpoint& checkpoint, std::uint64_t id) {
  return std::ranges::any_of(model_of(checkpoint).memfds, [id](const auto& memfd) {
    return memfd.second.shmid == id && !memfd.second.is_anonymous();
  });
}

bool is_segment(const Checkpoint& checkpoint, std::uint64_t id) {
  static const Field& desc = *find_message("ipc_shm_entry")->find("desc");
  static const Field& number = *desc.message().find("id");
  return std::ranges::any_of(checkpoint.messages("IPCNS_SHM"), [id](const ImageMessage& segment) {
    const auto value = find_value(desc, *segment.message, segment.payload);
    return value && integer_or(number, desc.message(), value->bytes, 0) == id;
  });
}

}  // namespace

bool is_kept_unmapped(const Checkpoint& checkpoint, MemoryId memory) {
  return memory.shmem && (is_memfd(checkpoint, memory.id) || is_segment(checkpoint, memory.id));
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

std::uint64_t shared_bytes(const Task& task) {
  std::uint64_t sum = 0;
  for (const Mapping& mapping : task.memory.mappings)
    if (mapping.is_shared() && mapping.end > mapping.start) sum += mapping.end - mapping.start;
  return sum;
}

namespace {

// What mappings of shared objects have for a hole in the process's own pagemap.
class HoleFiller {
 public:
  HoleFiller(PageStore& store, const Checkpoint& checkpoint, const MappingIndex& mappings, std::uint64_t page_size,
             const VisitStretch& visit)
      : store_{store}, checkpoint_{checkpoint}, page_size_{page_size}, mappings_{mappings}, visit_{visit} {}
  bool fill(const Stretch& hole);

 private:
  bool leave(const Stretch& hole, std::uint64_t begin, std::uint64_t end) const;

  PageStore& store_;
  const Checkpoint& checkpoint_;
  std::uint64_t page_size_;
  const MappingIndex& mappings_;
  const VisitStretch& visit_;
};

bool HoleFiller::leave(const Stretch& hole, std::uint64_t begin, std::uint64_t end) const {
  if (begin >= end) return true;
  Stretch rest = hole;
  rest.vaddr = begin;
  rest.nr_pages = pages_touched(end - begin, page_size_);
  return visit_(rest) == Step::go;
}

bool HoleFiller::fill(const Stretch& hole) {
  const std::uint64_t end = hole.end(page_size_);
  std::uint64_t at = hole.vaddr;
  for (auto next = mappings_.from(at); next != mappings_.all().end() && (*next)->start < end; ++next) {
    const Mapping& mapping = **next;
    const auto object = shared_object(checkpoint_, mapping);
    const std::uint64_t from = std::max(at, mapping.start);
    const std::uint64_t to = std::min(end, mapping.end);
    if (!object || from >= to || mapping.pgoff > max_address - (to - mapping.start)) continue;
    if (!leave(hole, at, from)) return false;
    // Differences of addresses and offsets in the object wrap around and back.
    const std::uint64_t shift = mapping.pgoff - mapping.start;
    const bool went_on = visit_stretches(store_, *object, page_size_, from + shift, to + shift, [&](Stretch stretch) {
      stretch.vaddr -= shift;
      return visit_(stretch);
    });
    if (!went_on) return false;
    at = to;
  }
  return leave(hole, at, end);
}

}  // namespace

bool visit_stretches(PageStore& store, const Checkpoint& checkpoint, const Task& task, std::uint64_t page_size,
                     std::uint64_t begin, std::uint64_t end, const VisitStretch& visit) {
  return visit_stretches(store, checkpoint, task, MappingIndex{task.memory.mappings}, page_size, begin, end, visit);
}

bool visit_stretches(PageStore& store, const Checkpoint& checkpoint, const Task& task, const MappingIndex& mappings,
                     std::uint64_t page_size, std::uint64_t begin, std::uint64_t end, const VisitStretch& visit) {
  HoleFiller filler{store, checkpoint, mappings, page_size, visit};
  return visit_stretches(store, {false, task.pid}, page_size, begin, end, [&](const Stretch& stretch) {
    if (stretch.where != Stretch::Where::hole) return visit(stretch);
    return filler.fill(stretch) ? Step::go : Step::stop;
  });
}

}  // namespace critpipe
