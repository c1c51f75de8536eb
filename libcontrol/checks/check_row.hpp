// A check before a dump is one function and one row.
#pragma once

#include "checks/tree_facts.hpp"
#include "critpipe/control/checks.hpp"

namespace critpipe {

// What a check looks at, and where it says what it has found.
class DumpLook {
 public:
  DumpLook(const TreeFacts& tree, const CriuOptions& options) : tree{tree}, options{options} {}
  const TreeFacts& tree;
  const CriuOptions& options;

  // Is something declared as external that begins so: "unix[12", "mnt["?
  bool is_external(std::string_view begin) const;
  void find(Severity severity, const TaskFacts* task, std::string text, std::string advice = {});
  void find_fd(Severity severity, const TaskFacts& task, const FdFacts& fd, const std::string& text,
               std::string advice = {});

  std::string_view check;  // that is being made
  std::vector<MachineFinding> findings;
};

using DumpCheck = void (*)(DumpLook& look);
struct DumpCheckRow {
  CheckRow row;
  DumpCheck make;
};

// The rows of each file.
std::span<const DumpCheckRow> task_checks();
std::span<const DumpCheckRow> file_checks();
std::span<const DumpCheckRow> socket_checks();
std::span<const DumpCheckRow> namespace_checks();
std::span<const DumpCheckRow> machine_checks();

}  // namespace critpipe
