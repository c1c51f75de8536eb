// Parents that are in the same archive or stream as their sets. Internal.
#pragma once

#include <set>

#include "critpipe/memory.hpp"
#include "set/sets_of.hpp"

namespace critpipe {

// Gives each set its parent, and returns those that are one: their memory is that of their children.
template <typename T>
std::set<T*> join_parents(const SetsOf<T>& sets) {
  std::set<T*> joined;
  const std::vector<T*> parents = sets.parents();
  for (std::size_t i = 0; i < parents.size(); ++i) {
    if (!parents[i]) continue;
    sets.all()[i]->give_parent(*parents[i]);
    joined.insert(parents[i]);
  }
  return joined;
}

}  // namespace critpipe
