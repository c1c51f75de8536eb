// Internal.
#pragma once

#include <vector>

#include "critpipe/memory.hpp"
#include "pages/page_size.hpp"

namespace critpipe {

// Of a set whose own images tell no page size, adds what its parents have of these memories: all have the same.
void add_parents(PageStore& set, const std::vector<MemoryId>& memories, PageSizeByImages& images);

}  // namespace critpipe
