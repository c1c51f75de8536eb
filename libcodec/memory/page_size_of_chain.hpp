// Internal.
#pragma once

#include <functional>
#include <vector>

#include "critpipe/checkpoint.hpp"
#include "critpipe/memory.hpp"

namespace critpipe {

// The checkpoint of a set without tasks learns how large pages are from the images with these memories, or else from
// those of the nearest parent that tell it: all have the same. Call when it is finished, and the set has its parent.
// `own`: the pagemaps of a set that need not read them for that; empty: those of PageStore::pagemap().
void learn_page_size(Checkpoint& checkpoint, PageStore& set, const std::vector<MemoryId>& memories,
                     const std::function<const Pagemap*(MemoryId)>& own = {});

}  // namespace critpipe
