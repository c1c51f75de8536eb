// How many processors there are for this process.
#include <algorithm>
#include <sched.h>

#include "critpipe/base.hpp"

namespace critpipe {

unsigned nr_processors() {
  cpu_set_t set;
  // It has no room for the processors of the largest machines.
  if (sched_getaffinity(0, sizeof set, &set) != 0) return CPU_SETSIZE;
  return std::max(1u, static_cast<unsigned>(CPU_COUNT(&set)));
}

}  // namespace critpipe
