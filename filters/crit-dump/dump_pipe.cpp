// Dumps by CRIU's command line through an image stream to standard output.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "crit-dump/dump_target.hpp"
#include "crit-dump/pipe_buffer.hpp"

namespace critpipe::filters {

namespace {

// Standard output, or memory in front of it (--buffer).
class Way {
 public:
  Way(Program& program, ImageCapture& capture) : capture_{capture} {
    if (const auto size = program.value("buffer"))
      buffer_.emplace(STDOUT_FILENO, "standard output",
                      *size == "all" ? PipeBuffer::everything : program.number("buffer", 0), error_);
    if (!error_) error_ = capture.add_output(buffer_ ? buffer_->fd() : STDOUT_FILENO, "standard output");
  }
  const Error& error() const { return error_; }

  // Waits until the images are safe, so that the tree may be given up; or, if it stays, until it may run on without
  // changing what is on its way. `stop_fd`: give up when it is readable.
  Error settle(bool stays, int stop_fd) {
    if (!buffer_) return {};
    const std::uint64_t bytes = capture_.totals()[0].bytes;
    return stays ? buffer_->wait_held(bytes, stop_fd) : buffer_->wait_sent(bytes, stop_fd);
  }
  Error finish() { return buffer_ ? buffer_->finish() : Error{}; }

 private:
  ImageCapture& capture_;
  Error error_;
  std::optional<PipeBuffer> buffer_;
};

// What CRIU does not stream, but a checkpoint in a directory has.
Error add_others(ImageCapture& capture, const PrivateDirectory& work, const std::string& descriptors) {
  OwnedDescriptor file{memfd_create("descriptors", MFD_CLOEXEC)};
  if (!file || write(file.fd(), descriptors.data(), descriptors.size()) != static_cast<ssize_t>(descriptors.size()) ||
      lseek(file.fd(), 0, SEEK_SET) != 0)
    return system_error(Reason::io_open, "memory", errno);
  Error error = capture.add_file("descriptors.json", std::move(file));
  for (const char* name : {"stats-dump", dump_log_name}) {
    OwnedDescriptor other{openat(work.fd(), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (other && !error) error = capture.add_file(name, std::move(other));
  }
  if (error) return error;
  capture.end();
  return capture.run();
}

}  // namespace

void dump_into_pipe(Program& program, DumpJob& job) {
  int signal = 0;
  {
    Error error;
    const PrivateDirectory work{error};
    if (error) return program.report(error);
    ImageCapture capture{{.copies = job.stays && !program.has("buffer"), .waits_for_end = true}};
    Way way{program, capture};
    if (way.error()) return program.report(way.error());
    SignalDescriptor signals;
    job.setup.stop_fd = signals.fd();
    const CriuNotify notify = [&](CriuNotification& event) {
      const bool goes_on = job.goes_on(program, event);
      // The tree is given up only for what the reader has got.
      if (goes_on && event.event == CriuEvent::post_dump && !error) error = way.settle(job.stays, signals.fd());
      return CriuReply{.success = goes_on && !error};
    };
    JobEnd end = dump_stream(job.setup, job.options, capture, work, notify);
    if (error) end.error = error;
    if (!end.error) {
      error = add_others(capture, work, job.descriptors);
      if (!error) error = way.finish();
      if (error) program.report(error);
      keep_log(program, work.fd(), dump_log_name);
      say_frozen_time(program, work.path());
    } else {
      report_failure(program, end, work.fd(), dump_log_name);
    }
    if (end.stopped) signal = signals.take();
  }
  end_if_stopped(signal);
}

}  // namespace critpipe::filters
