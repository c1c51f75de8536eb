// Searches in the memory of a process.
#include "critpipe/memory_folder.hpp"
#include "critpipe/search.hpp"

namespace critpipe {

Error search_memory(MemoryFolder& folder, const Task& task, Search& search) {
  std::uint64_t next = 0;
  bool is_open = false;
  Step step = Step::go;
  Error error = folder.read_stored(task, [&](std::uint64_t vaddr, Bytes bytes) {
    if (is_open && vaddr != next) step = search.end();
    if (!is_open || vaddr != next) search.begin(vaddr);
    is_open = true;
    next = vaddr + bytes.size();
    if (step == Step::go) step = search.feed(bytes);
    return step;
  });
  if (is_open && step == Step::go) (void)search.end();
  return error ? error : search.error();
}

}  // namespace critpipe
