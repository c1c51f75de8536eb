// What there is against a restore: in the images, and on this machine.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/filter.hpp"
#include "critpipe/control/checks.hpp"
#include "critpipe/control/socket_changes.hpp"

namespace critpipe::filters {

struct Against {
  Severity severity;
  std::string check, text, advice;
};

// Reads the inputs, which can be read again; of archives and streams, the set that --set-name names. The images are
// looked at as they will be restored, with the changes. Several sets end the program.
std::vector<Against> look_at(Program& program, const std::vector<std::string>& inputs, const CriuOptions& options,
                             const std::vector<SocketChange>& changes);
// One set is restored. Requires: there are several.
Error several_sets(std::span<const SetId> sets);
int print_findings(Program& program, std::span<const Against> findings);  // --check
// Reports and notes them. False: the restore would fail.
bool look_before(Program& program, std::span<const Against> findings);

}  // namespace critpipe::filters
