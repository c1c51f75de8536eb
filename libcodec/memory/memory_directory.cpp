// Bytes of processes out of a directory.
#include "critpipe/memory_folder.hpp"

#include <algorithm>
#include <cstdio>

namespace critpipe {

namespace {

constexpr std::uint64_t longest_start = 64 << 20;  // bytes of arguments or of the environment; Linux allows 6 MiB

bool is_zeros(const Mapping* mapping) {
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

}  // namespace

MemoryFolder::MemoryFolder(const std::string& path, const Limits& limits)
    : checkpoint_{read_checkpoint(path, {.mappings = true}, limits)}, pages_{path, limits}, block_(block_bytes) {}

Error MemoryFolder::absent(const Task& task, const Stretch& stretch, std::uint64_t begin, std::uint64_t end) const {
  Error error{Reason::no_bytes, pages_.path()};
  char range[80];
  std::snprintf(range, sizeof range, "0x%llx-0x%llx of process %u ", static_cast<unsigned long long>(begin),
                static_cast<unsigned long long>(end), task.pid);
  error.name = range;
  const Mapping* mapping = MappingIndex{task.memory.mappings}.at(begin);
  if (stretch.where == Stretch::Where::lazy) error.name += "were left behind for a lazy restore";
  else if (stretch.where == Stretch::Where::missing) error.name += "are in a parent that is not here, or lacks them";
  else if (!mapping) error.name += "are in no mapping";
  else error.name += "are as in " + checkpoint_.name_of(*mapping);
  return error;
}

Error MemoryFolder::deliver(const Stretch& stretch, std::uint64_t begin, std::uint64_t end, const Take& take,
                            Step& step) {
  const bool is_stored = stretch.where == Stretch::Where::stored;
  if (!is_stored) std::ranges::fill(block_, std::byte{});
  for (std::uint64_t at = begin; at < end && step == Step::go;) {
    const std::span<std::byte> here{block_.data(), std::min<std::uint64_t>(block_.size(), end - at)};
    if (is_stored)
      if (Error error = pages_.read(stretch, page_size(), at - stretch.vaddr, here)) return error;
    step = take(at, here);
    at += here.size();
  }
  return {};
}

Error MemoryFolder::read(const Task& task, std::uint64_t begin, std::uint64_t end, const Take& take, Absent absent) {
  if (begin >= end) return {};
  Error error;
  ProcessMemory memory{pages_, checkpoint_, task, page_size()};
  (void)memory.stretches(begin, end, [&](const Stretch& stretch) {
    Step step = Step::go;
    const std::uint64_t last = std::min(end, stretch.vaddr + stretch.nr_pages * page_size());
    std::uint64_t at = std::max(begin, stretch.vaddr);
    if (stretch.where == Stretch::Where::stored || absent == Absent::zeros) {
      error = deliver(stretch, at, last, take, step);
      return error ? Step::stop : step;
    }
    // Of a hole, what lies in one mapping after the other.
    while (at < last && step == Step::go && !error) {
      const Mapping* mapping = memory.mappings().at(at);
      if (stretch.where != Stretch::Where::hole || !is_zeros(mapping)) {
        error = this->absent(task, stretch, at, last);
        break;
      }
      const std::uint64_t until = std::min(last, mapping->end);
      error = deliver(stretch, at, until, take, step);
      at = until;
    }
    return error ? Step::stop : step;
  });
  return error;
}

Error MemoryFolder::read(const Task& task, std::uint64_t begin, std::uint64_t end, std::string& bytes, Absent absent) {
  bytes.clear();
  return read(
      task, begin, end,
      [&](std::uint64_t, Bytes block) {
        bytes.append(reinterpret_cast<const char*>(block.data()), block.size());
        return Step::go;
      },
      absent);
}

Error MemoryFolder::read_stored(const Task& task, const Take& take) {
  Error first;
  ProcessMemory memory{pages_, checkpoint_, task, page_size()};
  (void)memory.stretches(0, max_address, [&](const Stretch& stretch) {
    Step step = Step::go;
    const std::uint64_t end = stretch.vaddr + stretch.nr_pages * page_size();
    Error error;
    if (stretch.where == Stretch::Where::stored) error = deliver(stretch, stretch.vaddr, end, take, step);
    else if (stretch.where == Stretch::Where::missing) error = absent(task, stretch, stretch.vaddr, end);
    if (error && !first) first = std::move(error);
    return step;
  });
  return first;
}

Error MemoryFolder::strings(const Task& task, std::uint64_t begin, std::uint64_t end, std::uint64_t title_end,
                            std::vector<std::string>& all) {
  all.clear();
  if (end > begin && end - begin > longest_start) {
    Error error{Reason::limit_size, pages_.path()};
    error.want = longest_start;
    return error;
  }
  std::string bytes, behind;
  Error error = read(task, begin, end, bytes);
  const bool goes_on = !error && !bytes.empty() && bytes.back() != '\0';
  if (goes_on && read(task, end, title_end, behind, Absent::zeros)) behind.clear();
  all = strings_in(bytes, behind);
  return error;
}

Error MemoryFolder::arguments(const Task& task, std::vector<std::string>& all) {
  const AddressSpace& space = task.memory;
  return strings(task, space.arg_start, space.arg_end, space.title_end(), all);
}

Error MemoryFolder::environment(const Task& task, std::vector<std::string>& all) {
  const AddressSpace& space = task.memory;
  return strings(task, space.env_start, space.env_end, space.env_end, all);
}

std::uint64_t shared_bytes(const Task& task) {
  std::uint64_t sum = 0;
  for (const Mapping& mapping : task.memory.mappings)
    if (mapping.is_shared() && mapping.end > mapping.start) sum += mapping.end - mapping.start;
  return sum;
}

}  // namespace critpipe
