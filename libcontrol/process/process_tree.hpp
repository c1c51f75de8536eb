// Processes that go as a whole.
#pragma once

#include <sys/types.h>

#include <functional>

#include "process/proc_text.hpp"

namespace critpipe {

// Kills the processes that `is_root` says, and all that descends from them. They are stopped first, so that none starts
// another one meanwhile. Returns one that has not ended in that time; 0: all have. Nobody is waited for as a child.
pid_t kill_trees(const std::function<bool(pid_t, const ProcStat&)>& is_root, int milliseconds);

}  // namespace critpipe
