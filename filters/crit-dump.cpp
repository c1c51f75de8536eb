// crit-dump: makes the checkpoint of a process and its children: through a pipe, into a directory or a file.
#include <fcntl.h>
#include <unistd.h>

#include "cli/criu/criu_job.hpp"
#include "cli/images_out.hpp"
#include "cli/numbers.hpp"
#include "crit-dump/container_dump.hpp"
#include "crit-dump/dump_target.hpp"
#include "crit-dump/hidden_directory.hpp"
#include "critpipe/control/checks.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {'t', "tree", "PID", "Dump this process and its children."},
    Option{0, "into", "DIR", "Write the images into DIR, which is new or empty.", Option::directories}.excludes(
        "output"),
    output_row,
    format_row.needs("output").excludes("").without_letter(),
    zstd_row.excludes("into"),
    threads_row.needs("zstd|output"),
    Option{'f', "force", nullptr, "Replace DIR if it is not empty, or FILE if others may read it."}.needs(
        "into|output"),
    sync_row.needs("output|into"),
    {0, "buffer", "SIZE",
     "Let SIZE bytes of the stream wait in memory for a slow reader, or all of it: CRIU then ends at its own speed."},
    Option{0, "check", nullptr, "Check only: report what CRIU would refuse, and what to do about it."}.excludes(
        "no-check dry-run"),
    Option{0, "json", nullptr, "Print the findings as JSON."}.needs("check"),
    {0, "no-check", nullptr, "Do not look before the dump."},
    {'q', "quiet", nullptr, "Do not print what is done, nor how long the tree was frozen."},
};
constexpr Option tree_rows[] = {
    Option{'R', "leave-running", nullptr, "Let the tree run on."}.excludes("leave-stopped"),
    {'s', "leave-stopped", nullptr, "Leave the tree stopped."},
    Option{0, "tcp-established", nullptr, "Dump established TCP connections."}.excludes("tcp-close"),
    {0, "tcp-close", nullptr, "Dump established TCP connections as closed ones."},
    {0, "skip-in-flight", nullptr, "Leave out TCP connections that are not accepted yet."},
    {'l', "file-locks", nullptr, "Dump file locks."},
    {'j', "shell-job", nullptr, "Dump a shell job, with its terminal."},
    {0, "ext-unix-sk", nullptr, "Let datagram sockets have peers outside of the tree."},
    {0, "link-remap", nullptr, "Give unlinked files that have other names a name for the time of the dump."},
    {0, "ghost-limit", "SIZE", "Put unlinked files up to SIZE into the images (1M)."},
    {0, "external", "RES", "Mark an external resource, as criu --external does; may be repeated."},
    {0, "root", "PATH", "The root directory of the tree's mount namespace."},
    {0, "freeze-cgroup", "PATH", "Freeze the tree with this cgroup."},
    Option{0, "manage-cgroups", "MODE", "Dump cgroups: ignore, none, props, soft, full or strict."}.one_of(
        "ignore none props soft full strict"),
    Option{0, "network-lock", "METHOD", "Lock the network with iptables, nftables, or skip it."}.one_of(
        "iptables nftables skip"),
    {0, "timeout", "SECONDS", "Give up if CRIU does not begin, or cannot freeze the tree, in that time (10)."},
    Option{0, "track-mem", nullptr, "Track which memory changes, for a next dump that has this one as its parent."}
        .needs("into"),
    Option{0, "parent", "DIR", "Leave out the pages that the dump in DIR has, a directory on the same disk.",
           Option::directories}
        .needs("into"),
    Option{0, "pre-dump", nullptr, "Dump the memory alone, and let the tree run on; tracks memory."}.needs(
        "into|container"),
};
constexpr Options groups[] = {rows, tree_rows, container_options_rows, criu_job_options};
constexpr NamedOption named[] = {
    {"tree", "pid"},
    {"leave-running", "leave_running"},
    {"leave-stopped", "leave_stopped"},
    {"tcp-established", "tcp_established"},
    {"tcp", "tcp_established"},
    {"tcp-close", "tcp_close"},
    {"skip-in-flight", "tcp_skip_in_flight"},
    {"file-locks", "file_locks"},
    {"shell-job", "shell_job"},
    {"ext-unix-sk", "ext_unix_sk"},
    {"link-remap", "link_remap"},
    {"ghost-limit", "ghost_limit"},
    {"external", "external"},
    {"root", "root"},
    {"freeze-cgroup", "freeze_cgroup"},
    {"manage-cgroups", "manage_cgroups_mode"},
    {"network-lock", "network_lock"},
    {"timeout", "timeout"},
    {"track-mem", "track_mem"},
    {"pre-dump", "track_mem"},
};
constexpr Example examples[] = {
    {"crit-dump -t 12 | zstd > c1.zst", "the tree of process 12 as a compressed image stream"},
    {"crit-dump -t 12 | ssh host crit-restore", "move it to another machine"},
    {"crit-dump -t 12 --into DIR --leave-running", "a directory of images; the tree runs on"},
    {"crit-dump -t 12 -o c1.tar.zst", "an archive"},
    {"crit-dump -t 12 --check", "what CRIU would refuse, and what to do about it"},
    {"crit-dump -t 12 --dry-run", "what CRIU would be asked"},
    {"crit-dump --container web", "a container, which runs on, into /var/lib/critpipe"},
};

pid_t pid_of(Program& program) {
  const auto text = program.value("tree");
  if (!text) program.usage("say which process, -t PID, or --container NAME");
  const auto pid = parse_number(*text, Numeral::decimal);
  if (!pid || *pid == 0 || *pid > INT32_MAX) program.usage("-t takes the pid of a process, not " + *text);
  return static_cast<pid_t>(*pid);
}

// Where the first three descriptors lead: whoever restores with other ones needs their names.
std::string descriptors_of(pid_t pid) {
  StringOutput output;
  JsonWriter json{output, false};
  json.begin('[');
  for (int fd = 0; fd < 3; ++fd) {
    const std::string link = descriptor_path(pid, fd);
    char target[4096];
    const ssize_t size = readlink(link.c_str(), target, sizeof target);
    json.text({target, static_cast<std::size_t>(size < 0 ? 0 : size)});
  }
  json.end(']').line_end();
  return output.take();
}

int print_request(Program& program, const DumpJob& job, bool streams) {
  FileOutput output{STDOUT_FILENO, "standard output"};
  JsonWriter json{output, false};
  json.begin('{').key("schema").number(1u);
  if (streams) {
    std::vector<std::string> words{job.setup.program, "dump", "--stream"};
    if (Error error = job.options.command_line(CriuUse::dump_stream, words)) program.usage(error.name);
    words.insert(words.end(), job.setup.words.begin(), job.setup.words.end());
    json.key("by").text("command line").key("command").begin('[');
    for (const std::string& word : words) json.text(word);
    json.end(']');
  } else {
    const CriuRequest request = program.has("pre-dump") ? CriuRequest::single_pre_dump : CriuRequest::dump;
    json.key("by").text("rpc").key("request").raw(criu_request_json(request, job.options));
  }
  json.end('}').line_end();
  return program.finish(output);
}

// The place of the images, which else is looked at when it is made.
Error check_output(Program& program, const std::optional<std::string>& directory) {
  if (directory) return check_place(*directory, program.has("force"));
  const auto file = program.value("output");
  return file && *file != "-" ? check_file_place(*file) : Error{};
}

// The findings about the tree; and that this CRIU or this kernel cannot track memory, where it is to.
std::vector<MachineFinding> find_all(Program& program, const DumpJob& job) {
  const CriuPatience patience{job.setup.patience, job.setup.stop_fd};
  std::vector<MachineFinding> findings = check_before_dump(job.root, job.options);
  const auto add = [&](MachineFinding finding) { findings.push_back(std::move(finding)); };
  // The engine of a container may have a CRIU of its own.
  if (job.setup.service.empty())
    for (MachineFinding& finding : check_criu(job.setup.program, patience))
      if (finding.check != "criu" || !program.has("container")) add(std::move(finding));
  if (const auto parent = program.value("parent"); parent && access((*parent + "/inventory.img").c_str(), F_OK) != 0)
    add({Severity::error, "parent", 0, "there is no dump in the parent " + visible(*parent),
         "--parent takes the directory of an earlier dump or pre-dump"});
  if (!job.options.is_on("track_mem")) return findings;
  std::vector<CriuFeature> features{{"mem_track"}};
  const auto criu = make_criu(program);
  criu->set_patience(patience);
  if (Error error = criu->features(features)) program.report(error);
  else if (!features[0].available)
    findings.insert(findings.begin(), {Severity::error, "memory-tracking", 0, "the kernel does not track memory",
                                       "dump without --track-mem, --parent and --pre-dump"});
  return findings;
}

std::string text_of(const MachineFinding& finding) {
  return finding.text + (finding.advice.empty() ? "" : " (" + finding.advice + ")");
}

std::string_view criu_text(const MachineFinding& finding) {
  for (const CheckRow& row : dump_checks())
    if (row.name == finding.check) return row.criu;
  for (const CheckRow& row : criu_checks())
    if (row.name == finding.check) return row.criu;
  if (finding.check == "output") return "Can't open dir";
  if (finding.check == "parent") return "Invalid parent image directory provided";
  return "Tracking memory is not available. Consider omitting --track-mem";
}

int print_findings(Program& program, std::span<const MachineFinding> findings, pid_t pid) {
  FileOutput output{STDOUT_FILENO, "standard output"};
  JsonWriter json{output, false};
  if (program.has("json"))
    json.begin('{').key("schema").number(1u).key("pid").number(static_cast<unsigned>(pid)).key("findings").begin('[');
  for (const MachineFinding& finding : findings) {
    if (finding.severity <= Severity::loss) program.set_exit_code(exit_no);
    if (!program.has("json")) {
      output.write(std::string{name_of(finding.severity)} + ": " + text_of(finding) + "\n");
      continue;
    }
    json.begin('{').key("severity").text(name_of(finding.severity)).key("check").text(finding.check);
    if (finding.pid) json.key("pid").number(static_cast<unsigned>(finding.pid));
    json.key("text").text(finding.text).key("advice").text(finding.advice);
    json.key("criu").text(criu_text(finding)).end('}');
  }
  if (program.has("json")) json.end(']').end('}').line_end();
  return program.finish(output);
}

// Before anything is frozen. False: CRIU would refuse.
bool look_before(Program& program, std::span<const MachineFinding> findings) {
  for (const MachineFinding& finding : findings) {
    if (finding.severity == Severity::error) program.report({.reason = Reason::usage, .name = text_of(finding)});
    else program.note(std::string{name_of(finding.severity)} + ": " + text_of(finding));
  }
  return !program.failed();
}

int list_options(Program& program) {
  FileOutput output{STDOUT_FILENO, "standard output"};
  print_criu_options(output);
  return program.finish(output);
}

bool is_open_for_writing(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

int run(Program& program) {
  if (program.has("list-options")) return list_options(program);
  if (!program.arguments().empty()) program.usage("takes no argument: the process is said with -t PID");
  ContainerDump container{program};
  const pid_t pid = container ? container.pid() : pid_of(program);
  if (program.failed()) return program.exit_code();
  const auto directory = container ? container.directory() : program.value("into");
  const auto file = program.value("output");
  const bool streams = !directory && (!file || *file == "-");
  const bool only_looks = program.has("dry-run") || program.has("check");
  if (streams && isatty(STDOUT_FILENO) && !only_looks)
    program.usage("a checkpoint does not go to a terminal: pipe it on, or use --into DIR or -o FILE");
  if (streams && !only_looks && !is_open_for_writing(STDOUT_FILENO))
    program.usage("standard output is closed: pipe it on, or use --into DIR or -o FILE");
  if (const auto buffer = program.value("buffer"); buffer && !streams) program.usage("--buffer goes with a pipe");
  else if (buffer && *buffer != "all" && program.number("buffer", 0) == 0)
    program.usage("--buffer takes a size, such as 64M, or 'all'");
  if (directory) program.refuse({"zstd"}, "goes with a pipe or --output");
  CriuOptions options = criu_options(program, named, container ? container.options() : CriuOptions{});
  EventCommands commands{program, CriuUse::dump_stream};
  if (directory) keep_log_apart(program, *directory);
  if (file) keep_log_apart(program, *file);
  const CriuSetup setup = criu_setup(program);
  if (streams && !setup.service.empty()) program.usage("a CRIU that runs as a service cannot stream: use --into");
  std::vector<std::string> words;
  if (streams)
    if (Error error = options.command_line(CriuUse::dump_stream, words)) program.usage(error.name + " (use --into)");
  const bool stays = container.stays() || options.is_on("leave_running") || options.is_on("leave_stopped") ||
                     program.has("pre-dump") || config_lets_live(setup, options);
  Error error;
  HeldProcess root;
  DumpJob job{setup, options, root, commands, "", stays};
  container.choose_way(options, streams);
  if (program.failed()) return program.exit_code();
  if (program.has("dry-run")) return print_request(program, job, streams);
  root = HeldProcess::open(pid, error);
  if (error) {
    program.report(error);
    return program.exit_code();
  }
  SignalDescriptor signals;
  job.setup.patience = patience_of(job.options.number("timeout", 10));
  job.setup.stop_fd = signals.fd();
  job.commands.set_stop(signals.fd());
  if (const bool only = program.has("check"); only || !program.has("no-check")) {
    std::vector<MachineFinding> findings = find_all(program, job);
    end_if_stopped(program, signals.take(), "the tree runs on");
    if (const Error wrong = only ? check_output(program, container ? program.value("into") : directory) : Error{})
      findings.push_back({Severity::error, "output", 0, to_string(wrong), "name another place for the images"});
    if (only) return print_findings(program, findings, pid);
    if (!look_before(program, findings)) return program.exit_code();
  }
  job.descriptors = descriptors_of(pid);
  check_files(program, job.options);
  if (!program.failed()) container.prepare(job);
  if (program.failed()) return program.exit_code();
  if (container.exports()) container.export_archive(job, signals);
  else if (directory) dump_into_directory(program, job, *directory, signals);
  else if (!streams) dump_into_file(program, job, *file, signals);
  else dump_into_pipe(program, job, signals);
  return container.finish(program.exit_code());
}

}  // namespace

const Filter filter{"crit-dump", "make the checkpoint of a process and its children", "", examples, groups, run};

}  // namespace critpipe::filters
