#include "cli/criu/criu_job.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "cli/member_spool.hpp"
#include "critpipe/output.hpp"

namespace critpipe::filters {

CriuOptions criu_options(Program& program, std::span<const NamedOption> named, CriuOptions options) {
  const auto assign = [&](const std::string& option, const std::string& assignment) {
    if (Error error = options.assign(assignment)) program.usage("--" + option + ": " + error.name);
  };
  for (const NamedOption& row : named)
    for (const std::string& value : program.values(row.option))
      assign(row.option, std::string{row.field} + "=" + (value.empty() ? "true" : value));
  if (const auto file = program.value("config")) assign("config", "config_file=" + *file);
  if (const auto level = program.value("log-level")) assign("log-level", "log_level=" + *level);
  set_options(program, options);
  const std::pair<const char*, const char*> against[] = {{"leave_running", "leave_stopped"},
                                                         {"tcp_established", "tcp_close"}};
  for (const auto& [one, other] : against)
    if (options.is_on(one) && options.is_on(other))
      program.usage(std::string{one} + " and " + other + " exclude each other");
  return options;
}

CriuSetup criu_setup(Program& program) {
  CriuSetup setup{.program = criu_program(program), .service = program.value("service").value_or("")};
  if (program.has("no-default-config")) setup.words.push_back("--no-default-config");
  return setup;
}

EventCommands::EventCommands(Program& program, CriuUse use) : program_{program} {
  const auto comes = [=](const CriuEventRow& event) {
    return use == CriuUse::dump_stream ? event.of_dump : event.of_restore;
  };
  for (const std::string& text : program.values("on")) {
    const std::size_t equals = text.find('=');
    Row row{text.substr(0, equals), equals == std::string::npos ? "" : text.substr(equals + 1)};
    if (row.command.empty()) program.usage("--on takes EVENT=COMMAND, not " + text);
    const auto all = criu_events();
    const auto known = std::ranges::find(all, row.event, &CriuEventRow::name);
    if (known == all.end() || !comes(*known)) {
      std::string names;
      for (const CriuEventRow& event : all)
        if (comes(event)) names.append(names.empty() ? "" : ", ").append(event.name);
      const std::string_view job = use == CriuUse::dump_stream ? "dump" : "restore";
      program.usage(known == all.end() ? "--on: CRIU has no event '" + row.event + "': " + names
                                       : "--on: no " + std::string{job} + " has the event " + row.event + ": " + names);
    }
    rows_.push_back(std::move(row));
  }
}

namespace {

// Waits for the end of a command. Whoever stops us ends it, and what it has started. Returns its status.
int wait_for_command(Child& child, int stop_fd) {
  if (child.ends_before(stop_fd)) return child.wait();
  constexpr int patience = 2000;  // milliseconds
  int status = -1;
  kill(-child.pid(), SIGTERM);  // its session
  if (child.wait_for(patience, status)) return status;
  kill(-child.pid(), SIGKILL);
  return child.wait();
}

}  // namespace

bool EventCommands::run(const CriuNotification& event) {
  if (event.pid > 0) pid_ = event.pid;
  bool goes_on = true;
  for (const Row& row : rows_) {
    if (!goes_on || row.event != event.name) continue;
    Child child;
    ChildOptions options{.output = STDERR_FILENO};
    options.new_session = true;
    options.environment = {"CRTOOLS_SCRIPT_ACTION=" + row.event,
                           "CRTOOLS_INIT_PID=" + (pid_ > 0 ? std::to_string(pid_) : "")};
    Error error = child.start({"/bin/sh", "-c", row.command}, options);
    if (!error && wait_for_command(child, stop_fd_) != 0)
      error = {.reason = Reason::usage, .name = "the command of --on " + row.event + " failed"};
    if (!error) continue;
    goes_on = false;
    pollfd stop{stop_fd_, POLLIN, 0};
    if (is_late_) late_.push_back(error);
    else if (poll(&stop, 1, 0) <= 0) program_.report(error);
  }
  // What happens to the tree is then decided, and CRIU does not ask any more.
  const bool decides = event.event == CriuEvent::post_dump || event.event == CriuEvent::post_restore;
  if (decides && goes_on) {
    is_late_ = true;
    stop_fd_ = -1;
  }
  return goes_on;
}

void EventCommands::report_late(const std::string& state) {
  for (Error& error : late_) {
    error.name += ": " + state;
    program_.report(error);
  }
  late_.clear();
}

namespace {

// Where the log is kept; empty: it is not.
std::string kept_log(Program& program, int directory, const char* log_name, bool has_failed) {
  if (const auto path = program.value("log")) return copy_log(program, directory, log_name, *path) ? *path : "";
  if (!has_failed) return "";
  std::string path = temporary_directory() + "/" + log_name + ".XXXXXX";
  const OwnedDescriptor file{mkostemp(path.data(), O_CLOEXEC)};
  if (!file) return "";
  if (copy_log(program, directory, log_name, path)) return path;
  unlink(path.c_str());  // there is no log
  return "";
}

}  // namespace

void keep_log_apart(Program& program, const std::string& images) {
  const auto log = program.value("log");
  if (!log || images == "-") return;
  std::error_code none;
  const bool is_same_file = std::filesystem::equivalent(*log, images, none);
  const std::string log_path = std::filesystem::weakly_canonical(*log, none);
  if (is_same_file || (!log_path.empty() && log_path == std::filesystem::weakly_canonical(images, none)))
    program.usage("--log " + *log + ": the images are there");
}

bool copy_log(Program& program, int directory, const char* log_name, const std::string& path) {
  const OwnedDescriptor log{openat(directory, log_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!log) return false;
  const Error error = replace_file(path, [&](Output& output) {
    std::vector<std::byte> block(block_bytes);
    for (ssize_t got; (got = read(log.fd(), block.data(), block.size())) != 0;) {
      if (got > 0) output.pass(Bytes{block}.first(static_cast<std::size_t>(got)));
      else if (errno != EINTR) return system_error(Reason::io_read, log_name, errno);
    }
    return Error{};
  });
  if (error) program.report(error);
  return !error;
}

bool is_of_criu(const Error& error) {
  switch (error.reason) {
    case Reason::no_criu:
    case Reason::bad_answer:
    case Reason::criu_failed:
    case Reason::bad_request:
    case Reason::incomplete_checkpoint: return true;
    default: return false;
  }
}

void report_failure(Program& program, const JobEnd& end, int directory, const char* log_name) {
  // Of what was stopped, or failed on our side, CRIU's log knows nothing.
  const bool explains = !end.stopped && is_of_criu(end.error);
  const std::string kept = kept_log(program, directory, log_name, explains);
  if (!end.stopped) program.report(end.error);
  const std::string first = visible(end.log.first);
  if (explains && !first.empty() && end.error.name.find(first) == std::string::npos)
    program.note("CRIU's first error: " + first);
  if (!kept.empty()) program.note("CRIU's log is in " + visible(kept));
  if (end.still_at_work)
    program.note("CRIU does not end: process " + std::to_string(end.still_at_work) +
                 " has the tree until it does (kill -KILL may be the tree's end)");
}

void keep_log(Program& program, int directory, const char* log_name) {
  (void)kept_log(program, directory, log_name, false);
}

void print_criu_options(Output& output) {
  output.write("option\tby RPC into a directory\twith an image stream\n");
  for (const CriuOptionRow& row : criu_option_rows()) {
    const bool is_ours = row.is_ours();
    std::string line{row.field};
    line += is_ours ? "\tset by critpipe\t" : "\tyes\t";
    if (is_ours) line += "set by critpipe";
    else if (row.flag.empty()) line.append("refused: ").append(row.refused);
    else line.append(row.flag).append(row.about.empty() ? "" : "=").append(row.about);
    output.write(line + "\n");
  }
}

}  // namespace critpipe::filters
