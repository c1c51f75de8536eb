// What crit-dump and crit-restore have in common: options of CRIU by their names, commands on events, and what is said
// of a failure.
#pragma once

#include "cli/criu/criu_program.hpp"
#include "critpipe/control/jobs.hpp"

namespace critpipe::filters {

// An option of ours that stands for a field of criu_opts: a switch sets it to true, a value is assigned to it.
struct NamedOption {
  const char* option;
  const char* field;
};
// As --set, --config and those options say, on top of what is given. Usage error for what no field can have.
CriuOptions criu_options(Program& program, std::span<const NamedOption> named, CriuOptions options = {});

// As --criu, --service and --no-default-config say.
CriuSetup criu_setup(Program& program);

// --on EVENT=COMMAND: a shell runs COMMAND, in a session of its own, with CRTOOLS_SCRIPT_ACTION and CRTOOLS_INIT_PID in
// its environment; the pid is empty as long as it is not known.
class EventCommands {
 public:
  // Usage error for an event that never comes in that.
  explicit EventCommands(Program& program, CriuUse use = CriuUse::restore);
  void set_pid(pid_t pid) { pid_ = pid; }   // of the root task
  void set_stop(int fd) { stop_fd_ = fd; }  // readable: commands that run are ended, until post-dump or post-restore
  bool run(const CriuNotification& event);  // false: one of them failed, which is reported
  // A command that fails later changes nothing; it is reported here, with what has become of the tree.
  void report_late(const std::string& state);

 private:
  struct Row {
    std::string event, command;
  };
  Program& program_;
  std::vector<Row> rows_;
  pid_t pid_ = 0;
  int stop_fd_ = -1;
  bool is_late_ = false;
  std::vector<Error> late_;
};

bool is_of_criu(const Error& error);  // it is CRIU that has failed

// A job has failed: what; and if it was CRIU, its first error line, and where its log is. The log is copied to --log
// FILE, or else to a new file in $TMPDIR. Of a job that was stopped nothing is said.
void report_failure(Program& program, const JobEnd& end, int directory, const char* log_name);
// The same of a job that went well: the log goes to --log FILE, if that is given.
void keep_log(Program& program, int directory, const char* log_name);
// --log FILE takes the place of what is there: usage error, if that is where images go or come from.
void keep_log_apart(Program& program, const std::string& images);
// Copies a log that is there to the file, as a whole or not at all. False: it is not there, or an error was reported.
bool copy_log(Program& program, int directory, const char* log_name, const std::string& path);

// Every field of criu_opts: how it goes by RPC, into a stream, or why not.
void print_criu_options(Output& output);

inline constexpr Option criu_job_options[] = {
    {0, "set", "NAME=VALUE", "Set an option of CRIU by its name in criu_opts (--list-options); may be repeated."},
    {0, "on", "EVENT=COMMAND",
     "Run COMMAND in a shell on EVENT; if it fails, so does CRIU, as long as it can. May be repeated."},
    {0, "config", "FILE", "Have CRIU read this configuration file.", Option::files},
    {0, "no-default-config", nullptr, "Have CRIU's command line read no default configuration file."},
    criu_row,
    service_row,
    {0, "log", "FILE", "Keep CRIU's log in FILE.", Option::files},
    {0, "log-level", "N", "How much CRIU logs, from 0 to 4 (2)."},
    {0, "dry-run", nullptr, "Print what CRIU would be asked, as JSON, and do nothing."},
    {0, "list-options", nullptr, "Print the options of CRIU, and how each goes by RPC and with a stream."},
};

}  // namespace critpipe::filters
