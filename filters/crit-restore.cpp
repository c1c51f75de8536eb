// crit-restore: brings a process and its children back from a checkpoint of any form.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "cli/criu/criu_job.hpp"
#include "cli/numbers.hpp"
#include "critpipe/checkpoint.hpp"
#include "critpipe/control/checks.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    Option{'d', "detach", nullptr, "Return as soon as the tree runs, which is the default."}.excludes("wait"),
    {'w', "wait", nullptr, "Wait until the restored process ends, and exit as it did."},
    {0, "spool", "DIR", "Hold the images of a stream or an archive in a file in DIR, not in memory.",
     Option::directories},
    Option{0, "check", nullptr, "Look only: say what would make the restore fail here, and what to do."}.excludes(
        "no-check dry-run wait detach"),
    Option{0, "json", nullptr, "Print the findings as JSON."}.needs("check"),
    {0, "no-check", nullptr, "Do not look before the restore."},
    {0, "trust", nullptr, "Restore, as root, images that belong to somebody else, too."},
};
constexpr Option tree_rows[] = {
    {'j', "shell-job", nullptr, "Restore a part of a session; standard input is its terminal."},
    Option{0, "tcp-established", nullptr, "Restore established TCP connections."}.excludes("tcp-close"),
    {0, "tcp-close", nullptr, "Restore established TCP connections as closed ones."},
    {'l', "file-locks", nullptr, "Restore file locks."},
    {0, "ext-unix-sk", nullptr, "Connect datagram sockets to peers outside of the tree."},
    {0, "link-remap", nullptr, "Restore files that were given a name for the time of the dump."},
    {0, "external", "RES", "Where something outside comes from, as criu --external; may be repeated."},
    {0, "inherit", "KEY=FD",
     "Give the tree our open descriptor FD in place of KEY, such as pipe:[12]; may be repeated."},
    {0, "root", "PATH", "The root directory of the tree's mount namespace."},
    {0, "manage-cgroups", "MODE", "Restore cgroups: ignore, none, props, soft, full or strict."},
    {0, "network-lock", "METHOD", "How the network was locked: iptables, nftables, or skip."},
    {0, "lsm-profile", "TYPE:NAME", "Restore with this LSM profile."},
    {0, "leave-stopped", nullptr, "Leave the tree stopped."},
    {0, "skip-file-rwx-check", nullptr, "Do not mind when the modes of files have changed."},
};
constexpr Options groups[] = {rows, tree_rows, criu_job_options};
constexpr NamedOption named[] = {
    {"shell-job", "shell_job"},
    {"tcp-established", "tcp_established"},
    {"tcp-close", "tcp_close"},
    {"file-locks", "file_locks"},
    {"ext-unix-sk", "ext_unix_sk"},
    {"link-remap", "link_remap"},
    {"external", "external"},
    {"root", "root"},
    {"manage-cgroups", "manage_cgroups_mode"},
    {"network-lock", "network_lock"},
    {"lsm-profile", "lsm_profile"},
    {"leave-stopped", "leave_stopped"},
    {"skip-file-rwx-check", "skip_file_rwx_check"},
};
constexpr Example examples[] = {
    {"crit-restore DIR", "restore a directory of images, and print the pid"},
    {"crit-dump -t 12 | ssh host crit-restore", "move a process to another machine"},
    {"crit-restore --wait c1.tar.zst; echo $?", "restore an archive, and end as the process does"},
    {"crit-restore DIR --shell-job", "put a shell job on this terminal"},
};

// Restoring runs the image's code with the credentials that it asks for. The inputs must be of whom we may trust: root,
// or who called us; and nobody else may write to them.
class Trust {
 public:
  explicit Trust(Program& program) : program_{program}, checks_{geteuid() == 0 && !program.has("trust")} {
    owners_ = {0, getuid()};
    if (const char* caller = getenv("SUDO_UID"))
      if (const auto uid = parse_number(caller, Numeral::decimal)) owners_.push_back(static_cast<uid_t>(*uid));
  }

  void check(const std::string& input) {
    struct stat status;
    const bool known = input == "-" ? fstat(STDIN_FILENO, &status) == 0 : stat(input.c_str(), &status) == 0;
    if (!checks_ || !known) return;  // reading it says what is wrong
    judge(input, status);
    if (!S_ISDIR(status.st_mode)) return;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator{input, error})
      if (lstat(entry.path().c_str(), &status) == 0) judge(entry.path().string(), status);
  }

 private:
  void judge(const std::string& name, const struct stat& status) {
    if (program_.failed()) return;
    const bool is_ours = std::find(owners_.begin(), owners_.end(), status.st_uid) != owners_.end();
    const bool is_open = (status.st_mode & S_IWOTH) && !S_ISLNK(status.st_mode) && !(status.st_mode & S_ISVTX);
    if (is_ours && !is_open) return;
    std::string why = is_ours ? "everybody may write to it"
                              : "it belongs to the user with the number " + std::to_string(status.st_uid);
    program_.report({.reason = Reason::usage,
                     .image = name,
                     .name = why + ": restoring it would run its code as root (--trust does)"});
  }

  Program& program_;
  bool checks_;
  std::vector<uid_t> owners_;
};

void take_inherited(Program& program, CriuSetup& setup) {
  for (const std::string& text : program.values("inherit")) {
    const std::size_t equals = text.rfind('=');
    const auto fd = equals == text.npos ? std::nullopt : parse_number(text.substr(equals + 1), Numeral::decimal);
    if (!fd || equals == 0 || *fd > INT32_MAX) program.usage("--inherit takes KEY=FD, not " + text);
    if (fcntl(static_cast<int>(*fd), F_GETFD) < 0)
      program.usage("--inherit: descriptor " + std::to_string(*fd) + " is not open");
    setup.inherited.emplace_back(text.substr(0, equals), static_cast<int>(*fd));
  }
}

// What there is against a restore: in the images, and on this machine.
struct Against {
  Severity severity;
  std::string check, text, advice;
};

RestorePlan plan_of(const Program& program, const CriuOptions& options) {
  RestorePlan plan;
  plan.tcp_established = options.is_on("tcp_established");
  plan.tcp_close = options.is_on("tcp_close");
  plan.shell_job = options.is_on("shell_job");
  plan.ext_unix_sk = options.is_on("ext_unix_sk");
  plan.file_locks = options.is_on("file_locks");
  plan.lazy_pages = options.is_on("lazy_pages");
  plan.has_root = options.has("root");
  plan.is_complete = true;
  plan.external = program.values("external");
  for (const std::string& text : program.values("inherit")) {
    const std::size_t equals = text.rfind('=');
    std::string one{"fd["};
    one.append(text, equals == text.npos ? text.size() : equals + 1).append("]:").append(text, 0, equals);
    plan.inherit_fd.push_back(std::move(one));
  }
  return plan;
}

// Reads the inputs, which can be read again.
std::vector<Against> look_at(Program& program, const std::vector<std::string>& inputs, const CriuOptions& options) {
  std::vector<Against> all;
  CheckReader images{plan_of(program, options)};
  CheckpointReader model{restore_needs()};
  SourceOptions source;
  source.all_members = true;
  for (const std::string& input : inputs) {
    (void)read_input(input, images, source);
    (void)read_input(input, model);
  }
  for (const CheckedSet& set : images.finish())
    for (const Finding& finding : set.findings)
      all.push_back(
          {finding.severity, std::string{finding.rule->name}, to_string(finding), std::string{finding.rule->advice}});
  for (const Error& error : images.errors()) program.report(error);
  for (const SetCheckpoint& set : model.finish(inputs.empty() ? "-" : inputs[0]))
    for (const DumpFinding& finding : check_before_restore(set.checkpoint, options))
      all.push_back({finding.severity, std::string{finding.check},
                     std::string{name_of(finding.severity)} + ": " + finding.text, finding.advice});
  return all;
}

int print_findings(Program& program, std::span<const Against> findings) {
  FileOutput output{STDOUT_FILENO, "standard output"};
  JsonWriter json{output, false};
  if (program.has("json")) json.begin('{').key("schema").number(1u).key("findings").begin('[');
  for (const Against& one : findings) {
    if (one.severity <= Severity::loss) program.set_exit_code(exit_no);
    if (program.has("json"))
      json.begin('{')
          .key("severity")
          .text(name_of(one.severity))
          .key("check")
          .text(one.check)
          .key("text")
          .text(one.text)
          .key("advice")
          .text(one.advice)
          .end('}');
    else output.write(one.text + (one.advice.empty() ? "" : " (" + one.advice + ")") + "\n");
  }
  if (program.has("json")) json.end(']').end('}').line_end();
  return program.finish(output);
}

// False: the restore would fail.
bool look_before(Program& program, std::span<const Against> findings) {
  for (const Against& one : findings) {
    const std::string text = one.text + (one.advice.empty() ? "" : " (" + one.advice + ")");
    if (one.severity == Severity::error) program.report({.reason = Reason::usage, .name = text});
    else if (one.severity < Severity::note) program.note(text);
  }
  return !program.failed();
}

struct RestoreJob {
  Program& program;
  CriuSetup setup;
  CriuOptions options;
  EventCommands commands;
  const PrivateDirectory& work;
};

JobEnd restore_input(RestoreJob& job, const std::vector<std::string>& inputs) {
  JobEnd end;
  const CriuNotify notify = [&](CriuNotification& event) { return CriuReply{.success = job.commands.run(event)}; };
  std::error_code ignored;
  if (inputs.size() == 1 && std::filesystem::is_directory(inputs[0], ignored) && !is_container_image(inputs[0])) {
    // Images that an engine keeps below are found there.
    const std::string below = inputs[0] + "/checkpoint";
    const bool is_engine = !std::filesystem::exists(inputs[0] + "/inventory.img", ignored) &&
                           std::filesystem::exists(below + "/inventory.img", ignored);
    const Directory images{is_engine ? below : inputs[0], end.error};
    if (end.error) return end;
    return restore_from(job.setup, job.options, images.fd(), job.work, notify);
  }
  HeldImages images{job.program.value("spool").value_or("")};
  end.error = images.error();
  if (!end.error) end.error = images.read(inputs);
  if (!end.error && !images.has("inventory.img"))
    end.error = {.reason = Reason::missing_image, .image = "inventory.img"};
  if (end.error) return end;
  ImageServer server{images};
  return restore_stream(job.setup, job.options, server, job.work, notify);
}

int wait_for(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return 125;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int print_request(Program& program, const RestoreJob& job, bool streams) {
  FileOutput output{STDOUT_FILENO, "standard output"};
  JsonWriter json{output, false};
  json.begin('{').key("schema").number(1u).key("by").text(streams ? "command line" : "rpc");
  if (streams) {
    std::vector<std::string> words{job.setup.program, "restore", "--restore-detached", "--restore-sibling", "--stream"};
    if (Error error = job.options.command_line(CriuUse::restore_stream, words)) program.usage(error.name);
    words.insert(words.end(), job.setup.words.begin(), job.setup.words.end());
    json.key("command").begin('[');
    for (const std::string& word : words) json.text(word);
    json.end(']');
  } else {
    output.write(", \"request\": " + criu_request_json(CriuRequest::restore, job.options));
  }
  json.end('}').line_end();
  return program.finish(output);
}

int restore(Program& program) {
  if (program.has("list-options")) {
    FileOutput output{STDOUT_FILENO, "standard output"};
    print_criu_options(output);
    return program.finish(output);
  }
  const std::vector<std::string> inputs = program.inputs();
  std::error_code ignored;
  const bool streams = inputs.size() > 1 || !std::filesystem::is_directory(inputs[0], ignored);
  Error error;
  PrivateDirectory work;
  RestoreJob job{program, criu_setup(program), criu_options(program, named), EventCommands{program}, work};
  take_inherited(program, job.setup);
  job.setup.keeps_terminal = job.options.is_on("shell_job") && isatty(STDIN_FILENO);
  std::vector<std::string> words;
  if (streams)
    if (Error wrong = job.options.command_line(CriuUse::restore_stream, words)) program.usage(wrong.name);
  if (streams && !job.setup.service.empty()) program.usage("a CRIU that runs as a service restores a directory only");
  if (!job.setup.service.empty() && program.has("wait"))
    program.usage("--wait does not go with --service: what a service restores is its own child");
  if (program.has("dry-run")) return print_request(program, job, streams);
  const bool again = std::all_of(inputs.begin(), inputs.end(),
                                 [](const std::string& input) { return can_read_again(input, {}) && input != "-"; });
  if (program.has("check")) {
    if (!again) program.usage("--check reads its input twice: give a file or a directory, not a pipe");
    return print_findings(program, look_at(program, inputs, job.options));
  }
  if (again && !program.has("no-check") && !look_before(program, look_at(program, inputs, job.options)))
    return program.exit_code();
  Trust trust{program};
  for (const std::string& input : inputs) trust.check(input);
  if (program.failed()) return program.exit_code();
  work = PrivateDirectory{error};
  if (error) {
    program.report(error);
    return program.exit_code();
  }
  JobEnd end;
  int signal = 0;
  {
    SignalDescriptor signals;
    job.setup.stop_fd = signals.fd();
    end = restore_input(job, inputs);
    if (end.error) report_failure(program, end, work.fd(), restore_log_name);
    else keep_log(program, work.fd(), restore_log_name);
    if (end.stopped) signal = signals.take();
    work.remove();
  }
  if (signal) end_by_signal(signal);
  if (end.error) return program.exit_code();
  FileOutput output{STDOUT_FILENO, "standard output"};
  output.write(std::to_string(end.pid) + "\n");
  const int code = program.finish(output);
  return program.has("wait") ? wait_for(end.pid) : code;
}

int run(Program& program) {
  const int code = restore(program);
  return program.has("wait") && program.failed() ? 125 : code;
}

}  // namespace

const Filter filter{
    "crit-restore", "bring a process and its children back from a checkpoint", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
