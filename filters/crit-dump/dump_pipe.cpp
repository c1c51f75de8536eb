// Dumps by CRIU's command line through an image stream to standard output.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <cerrno>

#include "crit-dump/dump_target.hpp"

namespace critpipe::filters {

namespace {

// Standard output, or memory in front of it (--buffer).
class Way {
 public:
  Way(Program& program, ImageCapture& capture) {
    if (program.has("buffer")) buffer_ = OwnedDescriptor{memfd_create("checkpoint", MFD_CLOEXEC)};
    const bool buffers = static_cast<bool>(buffer_);
    if (program.has("buffer") && !buffers) error_ = system_error(Reason::io_open, "memory", errno);
    if (!error_) error_ = capture.add_output(buffers ? buffer_.fd() : STDOUT_FILENO, "standard output");
  }
  const Error& error() const { return error_; }

  // What is in memory goes on to standard output. `stop_fd`: give up when it is readable.
  Error drain(int stop_fd) {
    while (buffer_) {
      pollfd waiting[] = {{STDOUT_FILENO, POLLOUT, 0}, {stop_fd, POLLIN, 0}};
      if (poll(waiting, 2, -1) > 0 && waiting[1].revents)
        return {.reason = Reason::io_write, .image = "standard output", .name = "stopped"};
      constexpr std::size_t most = 1 << 20;
      const ssize_t moved = sendfile(STDOUT_FILENO, buffer_.fd(), &offset_, most);
      if (moved == 0) break;
      if (moved < 0 && errno != EINTR && errno != EAGAIN)
        return system_error(Reason::io_write, "standard output", errno);
    }
    return {};
  }

 private:
  Error error_;
  OwnedDescriptor buffer_;
  off_t offset_ = 0;
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
    ImageCapture capture{{.copies = job.stays || program.has("buffer"), .waits_for_end = true}};
    Way way{program, capture};
    if (way.error()) return program.report(way.error());
    SignalDescriptor signals;
    job.setup.stop_fd = signals.fd();
    const CriuNotify notify = [&](CriuNotification& event) {
      const bool goes_on = job.goes_on(program, event);
      // The tree is given up only for what the reader has got.
      if (goes_on && event.event == CriuEvent::post_dump && !job.stays && !error) error = way.drain(signals.fd());
      return CriuReply{.success = goes_on && !error};
    };
    JobEnd end = dump_stream(job.setup, job.options, capture, work, notify);
    if (error) end.error = error;
    if (!end.error) {
      error = add_others(capture, work, job.descriptors);
      if (!error) error = way.drain(-1);
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
