// Dumps by CRIU's command line through an image stream to standard output.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "cli/images_target.hpp"
#include "crit-dump/dump_target.hpp"
#include "crit-dump/pipe_buffer.hpp"
#include "crit-dump/pipe_packer.hpp"
#include "crit-dump/tree_memory.hpp"

namespace critpipe::filters {

namespace {

constexpr const char* output_name = "standard output";

Error stopped() { return {.reason = Reason::io_write, .image = output_name, .name = "stopped"}; }

bool has_no_reader() {
  pollfd output{STDOUT_FILENO, 0, 0};
  return poll(&output, 1, 0) > 0 && (output.revents & POLLERR) != 0;
}

// Waits until the reader has taken what is in the pipe; one that does not move for a while may have it there.
Error wait_for_reader(int stop_fd) {
  constexpr int patience = 2000;  // times a millisecond
  int most = 0, now = 0;
  for (int left = patience; left > 0 && ioctl(STDOUT_FILENO, FIONREAD, &now) == 0 && now > 0; --left) {
    if (now < most) left = patience;
    most = now;
    pollfd waiting[] = {{STDOUT_FILENO, 0, 0}, {stop_fd, POLLIN, 0}};
    if (poll(waiting, 2, 1) <= 0) continue;
    return waiting[1].revents ? stopped() : system_error(Reason::io_write, output_name, EPIPE);
  }
  return {};
}

// Standard output; in front of it memory (--buffer), in front of that a compressor (--zstd).
class Way {
 public:
  Way(Program& program, ImageCapture& capture, pid_t root) : capture_{capture}, syncs_{!program.has("no-sync")} {
    constexpr std::uint64_t default_size = 4 << 20;
    int fd = STDOUT_FILENO;
    const auto size = program.value("buffer");
    if (size || program.has("zstd")) {
      const bool all = size == "all";
      buffer_.emplace(fd, output_name, all ? PipeBuffer::everything : program.number("buffer", default_size),
                      all && !program.has("zstd") ? tree_memory(root) : 0, error_);
      fd = buffer_->fd();
    }
    if (program.has("zstd") && !error_) {
      packer_.emplace(
          fd, [&program](Output& below) { return packed_output(program, below, true); }, error_);
      fd = packer_->fd();
    }
    if (!error_) error_ = capture.add_output(fd, output_name);
    struct stat status;
    if (fstat(STDOUT_FILENO, &status) == 0) {
      is_pipe_ = S_ISFIFO(status.st_mode);
      is_file_ = S_ISREG(status.st_mode);
    }
  }
  const Error& error() const { return error_; }

  // Waits until the images are safe, so that the tree may be given up; or, if it stays, until it may run on without
  // changing what is on its way. `stop_fd`: give up when it is readable.
  Error settle(bool stays, int stop_fd) {
    std::uint64_t bytes = capture_.totals()[0].bytes;
    Error error = packer_ ? packer_->settle(bytes, stop_fd, bytes) : Error{};
    if (buffer_ && !error) error = stays ? buffer_->wait_held(bytes, stop_fd) : buffer_->wait_sent(bytes, stop_fd);
    if (stays || error) return error;
    if (is_pipe_) return wait_for_reader(stop_fd);
    if (is_file_ && syncs_ && fdatasync(STDOUT_FILENO) != 0) error = system_error(Reason::io_write, output_name, errno);
    return error;
  }
  Error finish(const std::function<bool()>& stops) {
    Error error = packer_ ? packer_->finish(stops) : Error{};
    // Why nobody reads any more is known to the last of them.
    const Error last = buffer_ ? buffer_->finish(stops) : Error{};
    return last ? last : error;
  }

 private:
  ImageCapture& capture_;
  bool syncs_, is_pipe_ = false, is_file_ = false;
  Error error_;
  std::optional<PipePacker> packer_;  // ends when nobody reads: it is destroyed behind the buffer
  std::optional<PipeBuffer> buffer_;
};

Error step_until(ImageCapture& capture, const SignalDescriptor& signals, const std::function<bool()>& is_done,
                 const std::function<bool()>& ends) {
  while (!is_done()) {
    pollfd waiting[] = {{capture.poll_fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) return system_error(Reason::io_read, "poll", errno);
    if (ends()) return stopped();
    if (Error error = capture.step()) return error;
  }
  return {};
}

// Waits for the reader, until a signal says that this is to be given up. While the tree stays, any signal does; what is
// left of a tree that is given up goes on, until a second one comes.
class Patience {
 public:
  Patience(Program& program, bool stays, SignalDescriptor& signals)
      : program_{program}, stays_{stays}, signals_{signals} {}

  bool ends() {
    if (!signals_.has_come()) return false;
    if (stays_ || was_told_) return true;
    program_.note(name_of_signal(signals_.take()) +
                  " came too late: the tree is given up, and the rest of its images still goes out");
    was_told_ = true;
    return false;
  }
  Error run(ImageCapture& capture) {
    return step_until(
        capture, signals_, [&] { return capture.is_done(); }, [&] { return ends(); });
  }

 private:
  Program& program_;
  bool stays_, was_told_ = false;
  SignalDescriptor& signals_;
};

Error add_text(ImageCapture& capture, const std::string& name, const std::string& text) {
  OwnedDescriptor file{memfd_create("text", MFD_CLOEXEC)};
  if (!file || write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      lseek(file.fd(), 0, SEEK_SET) != 0)
    return system_error(Reason::io_open, "memory", errno);
  return capture.add_file(name, std::move(file));
}

// What CRIU does not stream, but a checkpoint in a directory has.
Error add_texts(ImageCapture& capture, const DumpJob& job) {
  Error error = add_text(capture, "descriptors.json", job.descriptors);
  for (const auto& [name, text] : job.files)
    if (!error) error = add_text(capture, name, text);
  return error;
}

// Brings the images, and then the end of the stream, to where they are safe, while the tree is frozen: whoever kills us
// after that leaves a whole checkpoint. The end goes last, on its own: when it is out, the tree is given up.
Error make_safe(ImageCapture& capture, Way& way, const DumpJob& job, const SignalDescriptor& signals) {
  Error error = add_texts(capture, job);
  if (!error) error = way.settle(job.stays, signals.fd());
  if (error) return error;
  capture.end_images();
  error = step_until(
      capture, signals, [&] { return capture.has_end(); }, [&] { return signals.has_come(); });
  return error ? error : way.settle(job.stays, signals.fd());
}

// What CRIU writes to the end, or only then.
Error add_late(Program& program, ImageCapture& capture, const PrivateDirectory& work) {
  Error error;
  for (const char* name : {"stats-dump", dump_log_name}) {
    OwnedDescriptor other{openat(work.fd(), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    struct stat status;
    if (other && fstat(other.fd(), &status) == 0 && status.st_size == 0) {
      program.note(std::string{name} + " is left out: CRIU could not write it in " + visible(work.path()));
      continue;
    }
    if (other && !error) error = capture.add_file(name, std::move(other));
  }
  if (!error) capture.end();
  return error;
}

}  // namespace

void dump_into_pipe(Program& program, DumpJob& job, SignalDescriptor& signals) {
  int signal = 0;
  std::string state = "the tree runs on";
  {
    Error error;
    const WorkDirectory work{error};
    if (error) return program.report(error);
    const bool is_direct = !program.has("buffer") && !program.has("zstd");
    ImageCapture capture{{.copies = job.stays && is_direct, .waits_for_end = true}};
    Way way{program, capture, job.root.pid()};
    if (way.error()) return program.report(way.error());
    bool is_complete = false;
    const CriuNotify notify = [&](CriuNotification& event) {
      const bool goes_on = job.goes_on(program, event);
      if (goes_on && event.event == CriuEvent::post_dump && !error) {
        error = make_safe(capture, way, job, signals);
        is_complete = !error;
      }
      return CriuReply{.success = goes_on && !error, .is_final = is_complete};
    };
    JobEnd end = dump_stream(job.setup, job.options, capture, *work, notify);
    if (error) end.error = error;
    // If CRIU fails when all images have gone out, and the tree may be gone, they are still worth having.
    if (!end.error || (is_complete && !end.stopped && is_of_criu(end.error))) {
      Patience patience{program, job.stays, signals};
      if (!is_complete) error = add_texts(capture, job);
      if (!error) error = add_late(program, capture, *work);
      if (!error) error = patience.run(capture);
      if (!error) error = way.finish([&] { return patience.ends(); });
      if (error && signals.has_come()) {
        signal = signals.take();
        if (!job.stays) state = "the tree is given up; its images are complete, but for stats-dump and the log";
      } else if (error && !(is_complete && has_no_reader())) {  // who reads images alone may have gone at their end
        program.report(error);
      }
      say_frozen_time(program, work->path());
    }
    if (end.error) report_failure(program, end, work->fd(), dump_log_name);
    else keep_log(program, work->fd(), dump_log_name);
    if (end.stopped) signal = signals.take();
    if (end.still_at_work) state = tree_in_hand;
  }
  end_if_stopped(program, signal, state);
  tell_late(program, job, signals);
}

}  // namespace critpipe::filters
