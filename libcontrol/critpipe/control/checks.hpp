// checks: What would make a dump or a restore fail, seen before anything is frozen or made.
//
//     Error error;
//     const HeldProcess root = HeldProcess::open(getpid(), error);
//     CriuOptions options;
//     if (!error)
//       for (const MachineFinding& finding : check_before_dump(root, options)) puts(finding.text.c_str());
//
// A check reads /proc and asks the kernel for sockets; it changes nothing. What it reads is the text of processes and
// images and may be hostile: in findings it is escaped, and they can be printed as they are. Any thread may call.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/check.hpp"
#include "critpipe/control/criu.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

struct MachineFinding {
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
std::vector<MachineFinding> check_before_dump(const HeldProcess& root, const CriuOptions& options);

// Is this CRIU, a program or a path, fit for this kernel? It is asked (criu check) once for each pair of them; the
// answer is kept in the runtime directory. One that does not answer is a finding.
std::span<const CheckRow> criu_checks();
std::vector<MachineFinding> check_criu(const std::string& program, CriuPatience patience = {});

// What of this machine stands in the way of a restore here: pids and ports that are taken, addresses, files and
// capabilities that are missing, a processor that lacks instructions. What is wrong with the images themselves is for
// CheckReader to say. Notes tell what a restore will do: whose credentials it gives, which files it opens. The
// checkpoint was read with here_needs(). Sockets are bound to addresses for a moment, to see whether they may be;
// nobody can reach them.
std::span<const CheckRow> here_checks();
Needs here_needs();
std::vector<MachineFinding> check_here(const Checkpoint& checkpoint, const CriuOptions& options);

}  // namespace critpipe
#pragma GCC visibility pop
