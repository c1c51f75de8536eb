// The terminal of a restored shell job, and who waits for it.
#pragma once

#include <sys/types.h>

#include <optional>

#include "cli/filter.hpp"
#include "critpipe/control/process.hpp"

namespace critpipe::filters {

// Our terminal, if we have one. Otherwise, for --wait, a new one in a session of its own, whose other end is joined
// with our standard input and output.
class JobTerminal {
 public:
  // A process for the new session is forked: where this returns a status, the job has ended with it, and so do we.
  // `reads_stdin`: standard input has the images.
  std::optional<int> open(Program& program, bool reads_stdin);
  int fd() const { return fd_.fd(); }

 private:
  OwnedDescriptor fd_;
};

// Waits for a child of ours. Returns its exit status; 128 + N after a signal, 125 if it is none.
int wait_for(pid_t pid);

}  // namespace critpipe::filters
