// Dumps by RPC into a hidden directory, which becomes the directory or the file that was asked for.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "crit-dump/dump_target.hpp"
#include "crit-dump/hidden_directory.hpp"
#include "crit-dump/packed_file.hpp"
#include "critpipe/report.hpp"

namespace critpipe::filters {

namespace {

CriuRequest request_of(const Program& program) {
  return program.has("pre-dump") ? CriuRequest::single_pre_dump : CriuRequest::dump;
}

// The parent's directory as CRIU's link in the images wants it: relative to them.
Error set_parent(Program& program, DumpJob& job, const HiddenDirectory& directory) {
  namespace fs = std::filesystem;
  const auto parent = program.value("parent");
  if (!parent) return {};
  std::error_code error;
  const fs::path real = fs::canonical(*parent, error);
  const fs::path images = error ? fs::path{} : fs::canonical(directory.path(), error);
  if (error) return system_error(Reason::io_open, *parent, error.value());
  return job.options.set("parent_img", fs::relative(real, images, error).string());
}

struct DirectoryDump {
  bool is_stopped = false;   // by a signal
  bool is_safe = false;      // what was to be made is made; unless it was stopped then, the tree is given up, or stays
  bool is_given_up = false;  // before it was safe: the directory is kept until its images are somewhere else
  std::string state = "the tree runs on";
};

// How the images become what was asked for.
struct DirectoryUse {
  // Called before the tree is given up; of a tree that stays, and of what an engine makes, when all has ended. Says so
  // if it fails.
  std::function<bool()> make_safe;
  // What is left to be done when all has ended. It comes before CRIU's log is kept, which must not decide over the
  // images.
  std::function<void()> finish;
};

// What CRIU does not write. An engine makes its own descriptors.json.
Error write_texts(const DumpJob& job, HiddenDirectory& directory) {
  Error error = job.by_engine ? Error{} : directory.write("descriptors.json", job.descriptors);
  for (const auto& [name, text] : job.files)
    if (!error) error = directory.write(name.c_str(), text);
  return error;
}

DirectoryDump run_criu(Program& program, const DumpJob& job, const SignalDescriptor& signals,
                       HiddenDirectory& directory, const DirectoryUse& use) {
  DirectoryDump dump;
  bool was_tried = false, has_failed = false;
  const auto make = [&] {
    dump.is_safe = !std::exchange(was_tried, true) && use.make_safe();
    has_failed = !dump.is_safe;
  };
  const auto write_more = [&] {
    const Error error = job.write_while_frozen ? job.write_while_frozen(directory.fd()) : Error{};
    if (error && !signals.has_come()) program.report(error);
    has_failed = has_failed || error;
  };
  const CriuNotify notify = [&](CriuNotification& event) {
    const bool goes_on = job.goes_on(program, event);
    const bool is_last = goes_on && event.event == CriuEvent::post_dump;
    if (is_last) write_more();
    if (is_last && !job.stays && !has_failed) make();
    return CriuReply{.success = goes_on && !has_failed};
  };
  const JobEnd end = dump_into(job.setup, job.options, directory.fd(), notify, request_of(program));
  dump.is_stopped = end.stopped;
  if (end.still_at_work) dump.state = tree_in_hand;
  // A CRIU that has ended without asking may have taken the tree with it.
  const bool was_not_asked = !end.error && !was_tried;
  if (was_not_asked && !has_failed) make();
  dump.is_given_up = has_failed && was_not_asked && !job.stays;
  if (dump.is_given_up) directory.keep();
  else if (has_failed) dump.is_stopped |= signals.has_come();
  if (dump.is_safe && !end.stopped) use.finish();
  if (end.error && !has_failed) report_failure(program, end, directory.fd(), dump_log_name);
  else keep_log(program, directory.fd(), dump_log_name);
  return dump;
}

// Has the container ended, now that its engine has? One that was stopped may be giving it up just now.
bool has_ended(const DumpJob& job, bool was_stopped) {
  constexpr int patience = 1000;  // milliseconds
  pollfd root{job.root.pidfd(), POLLIN, 0};
  if (was_stopped && !job.stays) (void)poll(&root, 1, patience);
  return !job.root.is_alive();
}

// An engine gives the container up without asking: once it has ended, only the directory has its images.
DirectoryDump run_engine(Program& program, const DumpJob& job, SignalDescriptor& signals, HiddenDirectory& directory,
                         const DirectoryUse& use) {
  DirectoryDump dump;
  const Error error = job.by_engine(directory.path());
  dump.is_stopped = error && signals.has_come();
  const bool ended = has_ended(job, dump.is_stopped);
  dump.state = ended ? "the container has ended" : "the container runs";
  dump.is_given_up = ended && faccessat(directory.fd(), "inventory.img", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (dump.is_given_up) directory.keep();
  if (error && !dump.is_stopped) program.report(error);
  if (!error) {
    if (const int signal = dump.is_given_up ? signals.take() : 0)
      program.note(name_of_signal(signal) + " came too late: the container has ended, and its images are put in place");
    dump.is_safe = use.make_safe();
    dump.is_stopped = !dump.is_safe && signals.has_come();
    if (dump.is_safe) use.finish();
  }
  keep_log(program, directory.fd(), dump_log_name);
  return dump;
}

DirectoryDump run_job(Program& program, DumpJob& job, SignalDescriptor& signals, HiddenDirectory& directory,
                      const DirectoryUse& use) {
  DirectoryDump dump = job.by_engine ? run_engine(program, job, signals, directory, use)
                                     : run_criu(program, job, signals, directory, use);
  if (dump.is_given_up && !dump.is_safe) program.note("the images are in " + visible(directory.path()));
  return dump;
}

}  // namespace

bool DumpJob::goes_on(Program& program, const CriuNotification& event) const {
  const bool asks = event.event == CriuEvent::pre_dump || event.event == CriuEvent::post_dump;
  if (asks && !root.is_alive()) {
    program.report({.reason = Reason::usage, .name = "process " + std::to_string(root.pid()) + " has ended"});
    return false;
  }
  commands.set_pid(root.pid());
  return commands.run(event);
}

void say_frozen_time(Program& program, const std::string& directory) {
  if (program.has("quiet")) return;
  StatisticsReader reader;
  (void)read_input(directory, reader);
  for (const Statistics& one : reader.statistics()) {
    const auto frozen = one.value("frozen_time");
    if (one.of != Statistics::Of::dump || !frozen) continue;
    std::string text = std::to_string(*frozen / 1000);
    text += "." + std::to_string(*frozen / 100 % 10);
    program.note("frozen for " + text + " ms; " + size_text(one.value("pages_written").value_or(0) * one.page_size) +
                 " of memory written");
    return;
  }
}

void tell_late(Program& program, DumpJob& job, SignalDescriptor& signals) {
  job.commands.report_late("the dump is done");
  const int signal = signals.take();
  if (signal && !program.failed()) program.note(name_of_signal(signal) + " came too late: the dump is done");
}

void end_if_stopped(Program& program, int signal, const std::string& state) {
  if (!signal) return;
  program.note("stopped by " + name_of_signal(signal) + ": " + state);
  end_by_signal(signal);
}

void dump_into_directory(Program& program, DumpJob& job, const std::string& path, SignalDescriptor& signals) {
  int signal = 0;
  std::string state;
  {
    Error error;
    HiddenDirectory directory{path, error};
    if (!error) error = directory.check(program.has("force"));
    if (!error) error = set_parent(program, job, directory);
    if (!error) error = write_texts(job, directory);
    if (error) return program.report(error);
    const auto make_safe = [&] {
      Error wrong = program.has("no-sync") ? Error{} : directory.sync();
      if (!wrong && signals.has_come()) return false;
      if (!wrong) wrong = directory.put_in_place(program.has("force"));
      if (wrong) program.report(wrong);
      return !wrong;
    };
    const DirectoryDump dump = run_job(program, job, signals, directory, {make_safe, [] {}});
    if (dump.is_stopped) signal = signals.take();
    state = dump.state;
    if (dump.is_stopped && dump.is_safe) program.note("the images in " + visible(path) + " are complete");
    if (dump.is_safe && !dump.is_stopped) say_frozen_time(program, directory.path());
  }
  end_if_stopped(program, signal, state);
  tell_late(program, job, signals);
}

void dump_into_file(Program& program, DumpJob& job, const std::string& path, SignalDescriptor& signals) {
  int signal = 0;
  std::string state;
  {
    Error error;
    HiddenDirectory directory{path, error};
    if (!error) error = write_texts(job, directory);
    if (error) return program.report(error);
    PackedFile file{program, directory, signals};
    const auto make_safe = [&] {
      // The images of a tree that runs on are needed no longer than the file is written.
      const Error wrong = program.has("no-sync") || job.stays ? Error{} : directory.sync();
      if (wrong) program.report(wrong);
      if (wrong || !file.add_images()) return false;
      // From here on nothing else has the images until the file is in place.
      directory.keep();
      return true;
    };
    bool is_to_go = false;  // the directory, as soon as the log is kept
    const auto finish = [&] {
      say_frozen_time(program, directory.path());
      is_to_go = file.finish() || job.stays;
      if (!is_to_go) program.note("the images are in " + visible(directory.path()));
    };
    const DirectoryDump dump = run_job(program, job, signals, directory, {make_safe, finish});
    if (is_to_go || (dump.is_stopped && !dump.is_given_up)) directory.remove();
    if (dump.is_stopped) signal = signals.take();
    state = dump.state;
  }
  end_if_stopped(program, signal, state);
  tell_late(program, job, signals);
}

}  // namespace critpipe::filters
