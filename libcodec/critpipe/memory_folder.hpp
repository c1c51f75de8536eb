// memory: The memory of the processes of a checkpoint in a directory, as bytes.
//
//     MemoryFolder folder{"dump/"};
//     for (const Task& task : folder.checkpoint().tasks()) {
//       std::vector<std::string> arguments;
//       if (Error error = folder.arguments(task, arguments)) return error;
//     }
//
// Ranges are [begin, end) in addresses of the process, aligned or not. Pages are taken from where they are: the
// directory, its parents, shared objects. Nothing is kept but pagemaps; a range may be larger than memory if it is
// taken in blocks. Where anonymous memory has no page it is zeros. What no image has is an error, never zeros, unless
// these are asked for. Of other forms of checkpoints, crit-pages reads memory.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "critpipe/process_memory.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Not for several threads at once; distinct objects are.
class MemoryFolder {
 public:
  // Blocks in ascending order; a view lives until the return.
  using Take = std::function<Step(std::uint64_t vaddr, Bytes bytes)>;
  enum class Absent : std::uint8_t { refused, zeros };

  explicit MemoryFolder(const std::string& path, const Limits& limits = {});

  const Checkpoint& checkpoint() const { return checkpoint_; }
  PageFolder& pages() { return pages_; }
  std::uint64_t page_size() const { return checkpoint_.page_size(); }

  // Reasons: no_bytes (not in any mapping, in a file, left for a lazy restore, missing in a parent), io_open, io_read,
  // cut_pages. The first form takes what there is before the fault.
  Error read(const Task& task, std::uint64_t begin, std::uint64_t end, const Take& take,
             Absent absent = Absent::refused);
  Error read(const Task& task, std::uint64_t begin, std::uint64_t end, std::string& bytes,
             Absent absent = Absent::refused);
  // All that is stored of the process, and only that. What should be stored and is missing is passed over, and the
  // first of it is the error.
  Error read_stored(const Task& task, const Take& take);

  // What it was started with; without the NULs that end each.
  Error arguments(const Task& task, std::vector<std::string>& all);
  Error environment(const Task& task, std::vector<std::string>& all);

 private:
  Error deliver(const Stretch& stretch, std::uint64_t begin, std::uint64_t end, const Take& take, Step& step);
  Error absent(const Task& task, const Stretch& stretch, std::uint64_t begin, std::uint64_t end) const;
  Error strings(const Task& task, std::uint64_t begin, std::uint64_t end, std::uint64_t title_end,
                std::vector<std::string>& all);

  Checkpoint checkpoint_;
  PageFolder pages_;
  std::vector<std::byte> block_;
};

// Bytes of address space that are shared with others, files too.
std::uint64_t shared_bytes(const Task& task);

}  // namespace critpipe
#pragma GCC visibility pop
