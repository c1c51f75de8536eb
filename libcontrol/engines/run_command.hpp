// A command of an engine, and what it prints.
#pragma once

#include <string>
#include <vector>

#include "critpipe/error.hpp"

namespace critpipe {

struct CommandOptions {
  int seconds = 20;  // then it is ended; 0: never
  int stop_fd = -1;  // readable: it is ended
};
struct CommandAnswer {
  Error error = {};    // reasons: usage, with what it says: it cannot be started, or its status is not 0
  std::string output;  // up to 16 MiB
};

CommandAnswer run_command(const std::vector<std::string>& words, const CommandOptions& options = {});

}  // namespace critpipe
