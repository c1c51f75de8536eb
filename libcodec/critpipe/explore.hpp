// Explorers: a checkpoint as processes, descriptors, mappings, resident pages or sockets, for people and for programs.
//
//     ExploreOptions options{.form = ExploreOptions::Form::lines};
//     Checkpoint checkpoint = read_checkpoint("dump/", needs_of(Explorer::mems, options));
//     explore(checkpoint, Explorer::mems, output, options);
//
// Text is that of `crit x`, byte for byte where crit answers rightly; sk is ours. JSON has the keys of go-criu's
// explorers with the same values where those are right, and further ones after them; crit-x(1) lists all. Text that is
// no UTF-8 stands in JSON with U+FFFD for each bad byte.
//
// Sources of the facts: crit/crit/__main__.py, go-criu's crit/explore.go (the shapes of the answers).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "critpipe/checkpoint.hpp"
#include "critpipe/output.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

enum class Explorer : std::uint8_t { ps, fds, mems, rss, sk };
std::optional<Explorer> explorer_named(std::string_view word);  // also go-criu's fd and mem

struct ExploreOptions {
  enum class Form : std::uint8_t {
    text,
    json,  // one document for a checkpoint
    lines  // one object a line: a task, a file, a mapping, a run of pages, a socket
  };
  Form form = Form::text;
  bool detail = false;     // more columns; files named for what they are; in JSON their whole messages
  bool threads = false;    // ps: a line a thread
  bool tree = false;       // ps: drawn
  bool unicode = false;    // drawn with lines of Unicode
  bool escape = false;     // text: control characters in names are escaped, as a terminal needs it
  std::string label = {};  // lines: value of a first key "checkpoint"; empty: no such key
};

Needs needs_of(Explorer explorer, const ExploreOptions& options);

// Step::stop: the output has failed.
Step explore(const Checkpoint& checkpoint, Explorer explorer, Output& output, const ExploreOptions& options);

}  // namespace critpipe
#pragma GCC visibility pop
