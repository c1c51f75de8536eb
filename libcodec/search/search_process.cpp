// Searches in the memory of a process.
#include "search/memory_owners.hpp"
#include "search/plain_search.hpp"

namespace critpipe {

Error search_memory(CheckpointMemory& memory, const Process& process, Search& search) {
  search::PlainSearch plain{search};
  search::Feeder feeder{plain};
  Step step = Step::go;
  Error error =
      memory.read_stored(process, [&](std::uint64_t vaddr, Bytes bytes) { return step = feeder.feed(vaddr, bytes); });
  if (step == Step::go) (void)feeder.end();
  return error ? error : search.error();
}

}  // namespace critpipe
