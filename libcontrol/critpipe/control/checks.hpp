// checks: What would make a dump or a restore fail, seen before anything is frozen or made.
//
//     Error error;
//     const HeldProcess root = HeldProcess::open(getpid(), error);
//     CriuOptions options;
//     if (!error)
//       for (const DumpFinding& finding : check_before_dump(root, options)) puts(finding.text.c_str());
//
// A check reads /proc and asks the kernel for sockets; it changes nothing. What it reads is the processes' own text and
// may be hostile: in findings it is escaped, and they can be printed as they are. Any thread may call.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/check.hpp"
#include "critpipe/control/criu_options.hpp"
#include "critpipe/control/process.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

struct DumpFinding {
  Severity severity = Severity::error;
  std::string_view check;  // the row's name, "tcp-established"; lives as long as the program
  pid_t pid = 0;           // 0: it is not of one process
  std::string text;        // what there is: "process 12 (server), descriptor 4: ..."
  std::string advice;      // what to do; may be empty
};

// A check, and what CRIU's log says where it is not made.
struct CheckRow {
  std::string_view name;
  std::string_view about;
  std::string_view criu;
};
std::span<const CheckRow> dump_checks();

// All findings at once, errors first; empty: nothing speaks against a dump of this tree with these options.
std::vector<DumpFinding> check_before_dump(const HeldProcess& root, const CriuOptions& options);

// What of this machine stands in the way of a restore here: pids that are taken, files that are missing or others. What
// is wrong with the images themselves is for CheckReader to say. The checkpoint was read with restore_needs().
Needs restore_needs();
std::vector<DumpFinding> check_before_restore(const Checkpoint& checkpoint, const CriuOptions& options);

}  // namespace critpipe
#pragma GCC visibility pop
