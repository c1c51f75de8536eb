// Dumps by RPC into a hidden directory, which becomes the directory or the file that was asked for.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "cli/images_out.hpp"
#include "crit-dump/dump_target.hpp"
#include "crit-dump/hidden_directory.hpp"
#include "critpipe/report.hpp"
#include "critpipe/source.hpp"

namespace critpipe::filters {

namespace {

CriuRequest request_of(const Program& program) {
  return program.has("pre-dump") ? CriuRequest::single_pre_dump : CriuRequest::dump;
}

// The parent's directory as CRIU's link in the images wants it: relative to them.
void set_parent(Program& program, DumpJob& job, const HiddenDirectory& directory) {
  namespace fs = std::filesystem;
  const auto parent = program.value("parent");
  if (!parent) return;
  std::error_code error;
  const fs::path real = fs::canonical(*parent, error);
  if (error) program.usage("--parent " + *parent + ": " + error.message());
  const fs::path images = fs::canonical(directory.path(), error);
  (void)job.options.set("parent_img", fs::relative(real, images, error).string());
}

// Runs CRIU. `make_safe` is called before the tree is given up. Returns the signal that stopped it, or 0.
int run_job(Program& program, DumpJob& job, HiddenDirectory& directory, const std::function<Error()>& make_safe) {
  Error safe_error = directory.write("descriptors.json", job.descriptors);
  bool is_safe = false;
  SignalDescriptor signals;
  job.setup.stop_fd = signals.fd();
  const auto make = [&] {
    if (!safe_error) safe_error = make_safe();
    is_safe = !safe_error;
  };
  const CriuNotify notify = [&](CriuNotification& event) {
    const bool goes_on = job.goes_on(program, event);
    if (goes_on && event.event == CriuEvent::post_dump && !job.stays) make();
    return CriuReply{.success = goes_on && !safe_error};
  };
  const JobEnd end = safe_error ? JobEnd{.error = safe_error}
                                : dump_into(job.setup, job.options, directory.fd(), notify, request_of(program));
  if (!end.error && !is_safe) make();
  if (safe_error) program.report(safe_error);
  else if (end.error) report_failure(program, end, directory.fd(), dump_log_name);
  else keep_log(program, directory.fd(), dump_log_name);
  return end.stopped ? signals.take() : 0;
}

// What lies in a directory of images, as it goes into an archive: what is small first, pages last. Links and
// directories with an image's name stay: opening them says what they are.
std::vector<std::string> names_in_order(const std::string& path, Error& error) {
  std::vector<std::string> names;
  std::error_code failed;
  for (std::filesystem::directory_iterator at{path, failed}, end; !failed && at != end; at.increment(failed)) {
    const std::string name = at->path().filename().string();
    const bool is_regular = at->symlink_status(failed).type() == std::filesystem::file_type::regular;
    if (failed) break;
    if (is_regular || is_image_name(name)) names.push_back(name);
  }
  if (failed) error = system_error(Reason::io_read, path, failed.value());
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::pair{rank_of(a), a} < std::pair{rank_of(b), b};
  });
  return names;
}

// The file from the complete directory.
void pack(Program& program, const DumpJob& job, HiddenDirectory& directory) {
  // The tree may be gone: from here on the images are lost with nothing but the file in place.
  if (!job.stays) directory.keep();
  Error error;
  say_frozen_time(program, directory.path());
  const auto images = images_out(program);
  images->expect_stream();
  const Directory from{directory.path(), error};
  bool bulk = false;
  const std::vector<std::string> names = error ? std::vector<std::string>{} : names_in_order(directory.path(), error);
  if (error) program.report(error);
  for (const std::string& name : names) {
    if (!bulk && rank_of(name) >= Rank::bulk) {
      bulk = true;
      (void)images->bulk_follows();
    }
    Error failed;
    InputFile file = from.open(name, failed);
    const Step step = failed ? Step::go : images->copy(name, file, failed);
    if (failed) program.report(failed);
    if (step == Step::stop) break;
  }
  if (images->commit() != exit_done || program.failed()) {
    if (!job.stays) program.note("the images are in " + visible(directory.path()));
    return;
  }
  remove_directory(directory.path());
}

}  // namespace

bool DumpJob::goes_on(Program& program, const CriuNotification& event) const {
  const bool asks = event.event == CriuEvent::pre_dump || event.event == CriuEvent::post_dump;
  if (asks && !root.is_alive()) {
    program.report({.reason = Reason::usage, .name = "process " + std::to_string(root.pid()) + " has ended"});
    return false;
  }
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

void end_if_stopped(int signal) {
  if (signal) end_by_signal(signal);
}

void dump_into_directory(Program& program, DumpJob& job, const std::string& path) {
  int signal = 0;
  {
    Error error;
    HiddenDirectory directory{path, error};
    if (error) return program.report(error);
    set_parent(program, job, directory);
    const bool syncs = !program.has("no-sync");
    signal = run_job(program, job, directory, [&] {
      Error wrong = syncs ? directory.sync() : Error{};
      return wrong ? wrong : directory.put_in_place(program.has("force"));
    });
    if (!program.failed()) say_frozen_time(program, directory.path());
  }
  end_if_stopped(signal);
}

void dump_into_file(Program& program, DumpJob& job, const std::string& path) {
  int signal = 0;
  {
    Error error;
    HiddenDirectory directory{path, error};
    if (error) return program.report(error);
    signal = run_job(program, job, directory, [&] { return directory.sync(); });
    if (!program.failed()) pack(program, job, directory);
  }
  end_if_stopped(signal);
}
}  // namespace critpipe::filters
