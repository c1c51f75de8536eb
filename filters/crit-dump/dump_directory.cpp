// Dumps by RPC into a hidden directory, which becomes the directory or the file that was asked for.
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
  bool is_stopped = false;  // by a signal; the tree runs on
  bool is_safe = false;     // what was to be made is made; unless it was stopped then, the tree is given up, or stays
};

// Runs CRIU. `make_safe` is called before the tree is given up, and says so if it fails; of a tree that stays, when
// CRIU has ended. `finish`: what is left to be done then, before anything is said of CRIU.
DirectoryDump run_job(Program& program, DumpJob& job, const SignalDescriptor& signals, HiddenDirectory& directory,
                      const std::function<bool()>& make_safe, const std::function<void()>& finish) {
  DirectoryDump dump;
  bool was_tried = false;
  const auto make = [&] { dump.is_safe = !std::exchange(was_tried, true) && make_safe(); };
  const CriuNotify notify = [&](CriuNotification& event) {
    const bool goes_on = job.goes_on(program, event);
    const bool is_last = goes_on && event.event == CriuEvent::post_dump && !job.stays;
    if (is_last) make();
    return CriuReply{.success = goes_on && (!is_last || dump.is_safe)};
  };
  job.setup.stop_fd = signals.fd();
  job.commands.set_stop(signals.fd());
  const JobEnd end = dump_into(job.setup, job.options, directory.fd(), notify, request_of(program));
  dump.is_stopped = end.stopped;
  // A CRIU that has ended without asking may have taken the tree with it.
  const bool was_not_asked = !end.error && !was_tried;
  if (was_not_asked) make();
  const bool has_failed = was_tried && !dump.is_safe;
  if (has_failed && was_not_asked && !job.stays) {
    directory.keep();
    program.note("the images are in " + visible(directory.path()));
  } else if (has_failed) {
    dump.is_stopped |= signals.has_come();
  }
  keep_log(program, directory.fd(), dump_log_name);
  if (dump.is_safe && !end.stopped) finish();
  if (end.error && !has_failed) report_failure(program, end, directory.fd(), dump_log_name);
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
  {
    Error error;
    HiddenDirectory directory{path, error};
    if (!error) error = directory.check(program.has("force"));
    if (!error) error = set_parent(program, job, directory);
    if (!error) error = directory.write("descriptors.json", job.descriptors);
    if (error) return program.report(error);
    const auto make_safe = [&] {
      Error wrong = program.has("no-sync") ? Error{} : directory.sync();
      if (!wrong && signals.has_come()) return false;
      if (!wrong) wrong = directory.put_in_place(program.has("force"));
      if (wrong) program.report(wrong);
      return !wrong;
    };
    const DirectoryDump dump = run_job(program, job, signals, directory, make_safe, [] {});
    if (dump.is_stopped) signal = signals.take();
    if (dump.is_stopped && dump.is_safe) program.note("the images in " + visible(path) + " are complete");
    if (dump.is_safe && !dump.is_stopped) say_frozen_time(program, directory.path());
  }
  end_if_stopped(program, signal);
  tell_late(program, job, signals);
}

void dump_into_file(Program& program, DumpJob& job, const std::string& path, SignalDescriptor& signals) {
  int signal = 0;
  {
    Error error;
    HiddenDirectory directory{path, error};
    if (!error) error = directory.write("descriptors.json", job.descriptors);
    if (error) return program.report(error);
    PackedFile file{program, directory, signals};
    const auto make_safe = [&] {
      const Error wrong = program.has("no-sync") ? Error{} : directory.sync();
      if (wrong) program.report(wrong);
      if (wrong || !file.add_images()) return false;
      // From here on nothing else has the images until the file is in place.
      directory.keep();
      return true;
    };
    const auto finish = [&] {
      say_frozen_time(program, directory.path());
      if (file.finish() || job.stays) directory.remove();
      else program.note("the images are in " + visible(directory.path()));
    };
    const DirectoryDump dump = run_job(program, job, signals, directory, make_safe, finish);
    if (dump.is_stopped) {
      directory.remove();
      signal = signals.take();
    }
  }
  end_if_stopped(program, signal);
  tell_late(program, job, signals);
}

}  // namespace critpipe::filters
