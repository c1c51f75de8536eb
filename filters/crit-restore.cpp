// crit-restore: brings a process and its children back from a checkpoint of any form.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>

#include "cli/criu/criu_job.hpp"
#include "cli/numbers.hpp"
#include "crit-restore/container_restore.hpp"
#include "crit-restore/job_terminal.hpp"
#include "crit-restore/restore_look.hpp"
#include "crit-restore/trust.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    Option{'d', "detach", nullptr, "Return as soon as the tree runs, which is the default."}.excludes("wait"),
    {'w', "wait", nullptr, "Wait until the restored process ends, and exit as it did."},
    {0, "set-name", "SET", "Restore the set of images in directory SET, where the input holds several."},
    {0, "lazy", nullptr,
     "Let the tree run before its memory is there; it gets what it asks for first. For a directory of images."},
    {0, "spool", "DIR", "Hold the images of a stream or an archive in a file in DIR, not in memory.",
     Option::directories},
    Option{0, "check", nullptr, "Check only: report what would make the restore fail here, and what to do."}.excludes(
        "no-check dry-run wait detach"),
    Option{0, "json", nullptr, "Print the findings as JSON."}.needs("check"),
    {0, "no-check", nullptr, "Do not look before the restore."},
    {0, "timeout", "SECONDS", "Give up if CRIU does not begin in that time (10)."},
    {0, "trust", nullptr, "Restore, as root, images that belong to somebody else, too."},
};
constexpr Option tree_rows[] = {
    {'j', "shell-job", nullptr,
     "Restore a shell job on our terminal; where there is none, with --wait on a terminal of its own."},
    Option{0, "tcp-established", nullptr, "Restore established TCP connections."}.excludes("tcp-close"),
    {0, "tcp-close", nullptr, "Restore established TCP connections as closed ones."},
    {'l', "file-locks", nullptr, "Restore file locks."},
    {0, "ext-unix-sk", nullptr, "Connect datagram sockets to peers outside of the tree."},
    {0, "link-remap", nullptr, "Restore files that were given a name for the time of the dump."},
    {0, "external", "RES", "Map an external resource, as criu --external does; may be repeated."},
    {0, "inherit", "KEY=FD",
     "Give the tree our open descriptor FD in place of KEY, such as pipe:[12]; may be repeated."},
    Option{map_address_row}.excludes("lazy"),
    {0, "root", "PATH", "The root directory of the tree's mount namespace."},
    Option{0, "manage-cgroups", "MODE", "Restore cgroups: ignore, none, props, soft, full or strict."}.one_of(
        "ignore none props soft full strict"),
    Option{0, "network-lock", "METHOD", "How the network was locked: iptables, nftables, or skip."}.one_of(
        "iptables nftables skip"),
    {0, "lsm-profile", "TYPE:NAME", "Restore with this LSM profile."},
    {0, "leave-stopped", nullptr, "Leave the tree stopped."},
    {0, "skip-file-rwx-check", nullptr, "Ignore changed file modes."},
};
constexpr Options groups[] = {rows, tree_rows, container_options_rows, criu_job_options};
constexpr NamedOption named[] = {
    {"shell-job", "shell_job"},
    {"lazy", "lazy_pages"},
    {"tcp-established", "tcp_established"},
    {"tcp", "tcp_established"},
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
    {"crit-restore --container web DIR", "let a container go on from its checkpoint"},
    {"crit-restore --map-address 10.0.0.5=10.0.0.9 c1.tar", "give its sockets another address"},
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

// CRIU looks at what stands before a colon, and wants one behind none, too.
void complete_lsm_profile(Program& program, CriuOptions& options) {
  const std::string profile = program.value("lsm-profile").value_or("none");
  constexpr std::string_view types[] = {"apparmor:", "selinux:", "none:"};
  const bool has_type = std::ranges::any_of(types, [&](std::string_view type) { return profile.starts_with(type); });
  if (profile != "none" && !has_type)
    program.usage("--lsm-profile takes apparmor:NAME, selinux:CONTEXT or none, not " + profile);
  if (options.text("lsm_profile") != "none") return;
  if (Error error = options.set("lsm_profile", "none:")) program.usage(error.name);
}

struct RestoreJob {
  Program& program;
  CriuSetup setup;
  CriuOptions options;
  EventCommands commands;
  std::vector<SocketChange> changes;
  std::optional<Directory> directory;  // the images, where CRIU can read them itself
  // Inputs that are open: what is read is what was trusted, even if somebody else gives its name to another file.
  std::vector<std::pair<std::string, OwnedDescriptor>> open_inputs = {};
};

// The directory of the only input in which the images are as CRIU wants them; none: they are in an archive, a stream.
std::optional<Directory> images_directory(Program& program, const std::vector<std::string>& inputs) {
  struct stat status;
  if (inputs.size() != 1 || stat(inputs[0].c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
      is_container_image(inputs[0]))
    return std::nullopt;
  Error error, ignored;
  Directory set{inputs[0], error};
  if (const auto name = program.value("set-name"); !error && name && !name->empty()) {
    if (!set.has(*name)) error = named_error(Reason::no_set, inputs[0], *name);
    else set = set.below(*name, error);
  }
  if (error) {
    program.report(error);
    SignalCleanup::exit(program.exit_code());
  }
  if (set.has("inventory.img")) return set;
  // Images that an engine keeps below are found there.
  Directory below = set.below("checkpoint", ignored);
  return below.is_open() && below.has("inventory.img") ? std::move(below) : std::move(set);
}

// False: somebody else could have made what would run.
bool trusts(RestoreJob& job, const std::vector<std::string>& inputs) {
  Trust trust{job.program};
  for (const std::string& input : inputs) {
    if (job.directory && job.directory->place() == input) continue;
    struct stat status;
    const bool is_file = input != "-" && stat(input.c_str(), &status) == 0 && S_ISREG(status.st_mode);
    OwnedDescriptor file{is_file ? open(input.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1};
    if (file) trust.check_open(file.fd(), input);
    else trust.check(input);
    if (file) job.open_inputs.emplace_back(input, std::move(file));
  }
  if (job.directory) trust.check(job.directory->fd(), job.directory->place());
  return !job.program.failed();
}

// Images that CRIU cannot read itself. Nothing of it has a name, so that a signal may end the program meanwhile.
std::unique_ptr<HeldImages> hold_images(const RestoreJob& job, std::vector<std::string> inputs) {
  Program& program = job.program;
  const std::string first = inputs.empty() ? "-" : inputs.front();
  auto images = std::make_unique<HeldImages>(program.value("spool").value_or(""));
  Error error = images->error();
  images->change_sockets(job.changes);
  for (std::string& input : inputs)
    for (const auto& [name, file] : job.open_inputs)
      if (input == name) input = descriptor_path(file.fd());
  if (!error) error = images->read(inputs, {.set = program.value("set-name")});
  std::vector<SetId> sets = images->sets();
  for (SetId& set : sets)
    for (const auto& [name, file] : job.open_inputs)
      if (set.checkpoint == descriptor_path(file.fd())) set.checkpoint = name;
  if (sets.size() > 1) error = several_sets(sets);
  if (!error && !images->has("inventory.img")) {
    const std::string set = program.value("set-name").value_or("");
    error = {.reason = Reason::missing_image, .image = first + ":" + (set.empty() ? "" : set + "/") + "inventory.img"};
  }
  for (const auto& [name, file] : job.open_inputs)
    if (error.image.starts_with(descriptor_path(file.fd())))
      error.image.replace(0, descriptor_path(file.fd()).size(), name);
  if (error) program.report(error);
  return images;
}

// `images`: where CRIU cannot read them itself.
JobEnd run_criu(RestoreJob& job, HeldImages* images, const PrivateDirectory& work) {
  const CriuNotify notify = [&](CriuNotification& event) { return CriuReply{.success = job.commands.run(event)}; };
  if (!images) return restore_from(job.setup, job.options, job.directory->fd(), work, notify);
  ImageServer server{*images};
  return restore_stream(job.setup, job.options, server, work, notify);
}

int print_request(Program& program, const RestoreJob& job) {
  const bool streams = !job.directory;
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
    json.key("request").raw(criu_request_json(CriuRequest::restore, job.options));
  }
  json.end('}').line_end();
  return program.finish(output);
}

// The tree runs, whatever else has failed: who reads our output must not restore it again.
void tell_runs(Program& program, pid_t pid) {
  std::signal(SIGPIPE, SIG_IGN);
  FileOutput output{STDOUT_FILENO, "standard output"};
  output.write(std::to_string(pid) + "\n");
  const bool is_written = output.flush() == Step::go;
  if (!is_written && output.error()) program.report(output.error());
  if (!is_written) program.note("the tree runs as " + std::to_string(pid));
}

// Runs CRIU and says as what the tree runs. Returns the pid of its root task, which is a child of ours; 0: it has
// failed.
pid_t run_job(RestoreJob& job, const std::vector<std::string>& inputs) {
  Program& program = job.program;
  const std::unique_ptr<HeldImages> images = job.directory ? nullptr : hold_images(job, inputs);
  check_files(program, job.options);
  if (program.failed()) return 0;
  int signal = 0;
  JobEnd end;
  SignalDescriptor signals;
  {
    WorkDirectory work{end.error};
    job.setup.stop_fd = signals.fd();
    job.setup.patience = patience_of(program);
    job.commands.set_stop(signals.fd());
    if (!end.error) end = run_criu(job, images.get(), *work);
    if (end.error) report_failure(program, end, work->fd(), restore_log_name);
    else keep_log(program, work->fd(), restore_log_name);
  }
  const std::string state = "the tree runs as " + std::to_string(end.pid);
  if (end.pid > 0 && !end.error) tell_runs(program, end.pid);
  job.commands.report_late(end.error ? "the restore has failed" : state);
  if (end.stopped || program.has("wait")) signal = signals.take();
  if (signal) {
    const std::string left = end.still_at_work ? "it is not all taken back" : "nothing was restored";
    program.note("stopped by " + name_of_signal(signal) + ": " + (end.error ? left : state));
    end_by_signal(signal);
  }
  if (const int late = end.error ? 0 : signals.take()) program.note(name_of_signal(late) + " came too late: " + state);
  return end.error ? 0 : end.pid;
}

int run(Program& program) {
  if (program.has("list-options")) {
    FileOutput output{STDOUT_FILENO, "standard output"};
    print_criu_options(output);
    return program.finish(output);
  }
  const std::vector<std::string> inputs = program.inputs();
  for (const std::string& input : inputs)
    if (std::count(inputs.begin(), inputs.end(), input) > 1) program.usage("the input is given twice: " + input);
  for (const std::string& input : inputs) keep_log_apart(program, input);
  RestoreJob job{program,
                 criu_setup(program),
                 criu_options(program, named),
                 EventCommands{program},
                 socket_changes(program),
                 images_directory(program, inputs)};
  complete_lsm_profile(program, job.options);
  if (program.has("container")) {
    if (!trusts(job, inputs)) return program.exit_code();
    OwnedDescriptor archive = job.open_inputs.empty() ? OwnedDescriptor{} : std::move(job.open_inputs[0].second);
    return restore_container(program, named, job.directory, inputs, std::move(archive));
  }
  // CRIU gets other images than those that are there.
  if (!job.changes.empty() && job.directory) {
    if (job.directory->has("parent"))
      program.usage("--map-address wants images without a parent: crit-repack --flatten makes them");
    job.directory.reset();
  }
  const bool streams = !job.directory;
  take_inherited(program, job.setup);
  std::vector<std::string> words;
  if (streams && program.has("lazy")) program.usage("--lazy wants a directory of images: crit-cat INPUT --into DIR");
  if (streams)
    if (Error wrong = job.options.command_line(CriuUse::restore_stream, words)) program.usage(wrong.name);
  if (streams && !job.setup.service.empty()) program.usage("a CRIU that runs as a service restores a directory only");
  if (!job.setup.service.empty()) program.refuse({"wait", "lazy"}, "does not go with --service");
  if (program.has("dry-run")) return print_request(program, job);
  const bool again = std::all_of(inputs.begin(), inputs.end(),
                                 [](const std::string& input) { return can_read_again(input, {}) && input != "-"; });
  const bool is_below = job.directory && program.has("set-name");
  const std::vector<std::string> looked = is_below ? std::vector{job.directory->place()} : inputs;
  if (program.has("check")) {
    if (!again) program.usage("--check reads its input twice: give a file or a directory, not a pipe");
    return print_findings(program, look_at(program, looked, job.options, job.changes));
  }
  if (again && !program.has("no-check") && !look_before(program, look_at(program, looked, job.options, job.changes)))
    return program.exit_code();
  if (!trusts(job, inputs)) return program.exit_code();
  JobTerminal terminal;
  if (job.options.is_on("shell_job")) {
    const bool reads_stdin = std::find(inputs.begin(), inputs.end(), "-") != inputs.end();
    if (const auto status = terminal.open(program, reads_stdin)) return *status;
    job.setup.terminal = terminal.fd();
  }
  const pid_t pid = run_job(job, inputs);
  return pid != 0 && program.has("wait") ? wait_for(pid) : program.exit_code();
}

}  // namespace

const Filter filter{"crit-restore",
                    "bring a process and its children back from a checkpoint",
                    "[INPUT...]",
                    examples,
                    groups,
                    run,
                    nullptr,
                    0,
                    "",
                    nullptr,
                    "wait"};

}  // namespace critpipe::filters
