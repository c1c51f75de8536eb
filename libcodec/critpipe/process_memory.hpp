// memory: The memory of a process: its own pages, and those of the shared objects that it maps.
//
//     ProcessMemory memory{folder, checkpoint, task, page_size};
//     std::uint64_t stored = 0;
//     memory.stretches(0x1000, 0x9000, [&](const Stretch& stretch) {
//       if (stretch.where == Stretch::Where::stored) stored += stretch.nr_pages * page_size;
//       return Step::go;
//     });
//
// Pages of shared anonymous, SysV and memfd mappings are in pagemap-shmem-ID, by their place in the object. A private
// mapping of such an object has the pages that the process changed in its own pagemap, the others in the object's.
//
// Sources of the facts: criu/shmem.c, criu/memfd.c, criu/mem.c.
#pragma once

#include "critpipe/checkpoint.hpp"
#include "critpipe/memory.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// The shared object behind a mapping. Nothing for private memory and regular files.
std::optional<MemoryId> shared_object(const Checkpoint& checkpoint, const Mapping& mapping);

// A memfd of the images: its pages are there even where nobody maps it.
bool is_memfd(const Checkpoint& checkpoint, MemoryId memory);

// Mappings by address; guards, which lie inside of others, are left out. Views of the mappings.
class MappingIndex {
 public:
  MappingIndex() = default;
  explicit MappingIndex(std::span<const Mapping> mappings);
  // The mapping that holds the address; null: none does.
  const Mapping* at(std::uint64_t vaddr) const;
  // The first that ends behind the address; for walks.
  std::vector<const Mapping*>::const_iterator from(std::uint64_t vaddr) const;
  const std::vector<const Mapping*>& all() const { return all_; }

 private:
  std::vector<const Mapping*> all_;
};

class ProcessMemory {
 public:
  // Views of all of them.
  ProcessMemory(PageStore& store, const Checkpoint& checkpoint, const Task& task, std::uint64_t page_size);
  // As MemoryReader's, in addresses of the process: what is a hole there may be stored in an object.
  bool stretches(std::uint64_t begin, std::uint64_t end, const MemoryReader::Visit& visit);
  const MappingIndex& mappings() const { return mappings_; }

 private:
  bool fill(const Stretch& hole, const MemoryReader::Visit& visit);

  PageStore& store_;
  const Checkpoint& checkpoint_;
  std::uint64_t page_size_;
  MappingIndex mappings_;
  MemoryReader own_;
};

}  // namespace critpipe
#pragma GCC visibility pop
