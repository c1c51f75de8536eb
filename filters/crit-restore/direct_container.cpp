#include "crit-restore/direct_container.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "cli/criu/container_place.hpp"
#include "critpipe/control/direct_restore.hpp"
#include "critpipe/output.hpp"

namespace critpipe::filters {

namespace {

// The directory in which the files of the new container stay, as long as it is not removed again.
class NewPlace {
 public:
  NewPlace(const std::string& above, const std::string& name, Error& error) : path_{above + "/" + name} {
    error = make_container_place(above);
    if (error) return;
    is_made_ = mkdir(path_.c_str(), 0700) == 0;
    if (is_made_) return;
    const bool is_taken = errno == EEXIST;
    error = system_error(Reason::io_write, path_, errno);
    if (is_taken) error.name = "it is there already: take another name, or remove it if nothing runs on it";
  }
  ~NewPlace() {
    if (is_made_ && !is_kept_) remove_directory(path_);
  }
  NewPlace(const NewPlace&) = delete;
  NewPlace& operator=(const NewPlace&) = delete;

  const std::string& path() const { return path_; }
  void keep() { is_kept_ = true; }

 private:
  std::string path_;
  bool is_made_ = false, is_kept_ = false;
};

// Mounts of ours are seen by us and CRIU alone, and go with us however we end; those that others make still come.
Error leave_mounts() {
  if (unshare(CLONE_NEWNS) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0) return {};
  return system_error(Reason::io_open, "a mount namespace of our own", errno);
}

void check(Program& program, const Dumped& dumped) {
  program.refuse({"publish", "map-address"}, "goes without --via criu: CRIU gives a container no network");
  if (const std::string name = program.value("container").value_or(""); !is_container_name(name))
    program.usage("--container: letters, digits, '_', '.' and '-' make a name, not " + visible(name));
  if (Error error = against_direct_restore(dumped.container)) return program.report(error);
  const RunningNamespace* const network = dumped.container.find_namespace("net");
  if ((program.has("tcp") || program.has("tcp-established")) && network && !network->is_ours)
    program.usage("--tcp: the addresses of its connections are in a network of docker's: leave --via criu out");
  if (!dumped.has_difference)
    program.usage(
        "the files that the container had do not lie with its images (crit-dump --container puts them there)");
  if (dumped.has_parent) program.usage("its images have a parent: crit-repack --flatten makes some without");
}

struct DirectJob {
  Program& program;
  const std::string &input, &name;
  Dumped& dumped;
  CriuSetup setup;
  CriuOptions options;
  EventCommands commands;
};

// The images as files; of an archive, in a directory that is removed again.
Error open_images(const DirectJob& job, const std::string& beside, std::string& images, OwnedDescriptor& opened) {
  std::error_code none;
  images = job.input;
  if (!std::filesystem::is_directory(job.input, none)) {
    images = beside + "/images";
    if (mkdir(images.c_str(), 0700) != 0) return system_error(Reason::io_write, images, errno);
    if (Error error = put_files(job.input, job.name, {}, images)) return error;
  }
  opened = OwnedDescriptor{open(images.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return opened ? Error{} : system_error(Reason::io_open, images, errno);
}

// Its pid; 0: it has failed, which is reported but for what a signal has stopped.
pid_t run_job(DirectJob& job, const std::string& container, NewPlace& place) {
  std::string images;
  OwnedDescriptor opened;
  DirectRestore direct;
  Error error = leave_mounts();
  if (!error) error = open_images(job, place.path(), images, opened);
  const DirectPlan plan{container, images, place.path(), job.setup.stop_fd};
  if (!error) error = direct.make(job.dumped.container, plan, job.setup, job.options);
  const WorkDirectory work{error};
  if (error) {
    job.program.report(error);
    return 0;
  }
  const CriuNotify notify = [&](CriuNotification& event) { return CriuReply{.success = job.commands.run(event)}; };
  const JobEnd end = restore_from(job.setup, job.options, opened.fd(), *work, notify);
  direct.thaw();
  if (end.error) report_failure(job.program, end, work->fd(), restore_log_name);
  else keep_log(job.program, work->fd(), restore_log_name);
  if (images != job.input) remove_directory(images);
  return end.error ? 0 : end.pid;
}

}  // namespace

int restore_directly(Program& program, std::span<const NamedOption> named, const std::string& input,
                     const std::string& name, Dumped& dumped) {
  check(program, dumped);
  if (program.failed()) return program.exit_code();
  DirectJob job{
      program, input, name, dumped, criu_setup(program), criu_options(program, named), EventCommands{program}};
  check_files(program, job.options);
  if (program.failed()) return program.exit_code();
  const std::string container = program.value("container").value_or("");
  int signal = 0;
  pid_t pid = 0;
  std::string directory;
  {
    SignalDescriptor signals;
    job.setup.stop_fd = signals.fd();
    job.setup.patience = patience_of(program);
    job.commands.set_stop(signals.fd());
    Error error;
    NewPlace place{program.value("dir").value_or(default_container_place), container, error};
    if (error) program.report(error);
    else pid = run_job(job, container, place);
    if (pid) place.keep();
    directory = place.path();
    signal = signals.take();
  }
  job.commands.report_late(pid ? "the container runs" : "the restore has failed");
  if (signal && !pid) {
    program.note("stopped by " + name_of_signal(signal) + ": nothing was restored");
    end_by_signal(signal);
  }
  if (!pid) return program.exit_code();
  dumped.container.pid = pid;
  (void)raise_loopback(dumped.container);
  program.note("docker does not know of it: its files are in " + visible(directory) + ", until you remove them");
  FileOutput output{STDOUT_FILENO, "standard output"};
  output.write(std::to_string(pid) + "\n");
  return program.finish(output);
}

}  // namespace critpipe::filters
