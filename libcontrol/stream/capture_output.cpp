#include "stream/capture_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace critpipe {

namespace {

constexpr std::uint64_t largest_splice = 1 << 30;
constexpr int pipe_bytes = 1 << 20;

}  // namespace

CaptureOutput::CaptureOutput(int fd, std::string name, bool copies) : fd_{fd}, name_{std::move(name)}, copies_{copies} {
  struct stat status;
  if (fstat(fd, &status) != 0) {
    error_ = system_error(Reason::io_write, name_, errno);
    return;
  }
  if (S_ISFIFO(status.st_mode)) {
    type_ = Type::pipe;
    // As large as we may make it, but never smaller than it is.
    const int before = fcntl(fd, F_GETPIPE_SZ);
    for (int size = pipe_bytes; size > before && fcntl(fd, F_SETPIPE_SZ, size) < 0; size /= 2) {
    }
    capacity_ = static_cast<std::uint64_t>(std::max(fcntl(fd, F_GETPIPE_SZ), PIPE_BUF));
    // Others may have the descriptor, too: its flags stay as they are.
    own_ = OwnedDescriptor{open(descriptor_path(fd).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)};
  } else if (S_ISSOCK(status.st_mode)) {
    type_ = Type::socket;
    copies_ = true;  // splice would wait
  } else {
    copies_ |= (fcntl(fd, F_GETFL) & O_APPEND) != 0;  // where splice does not work
  }
}

std::uint64_t CaptureOutput::room() const {
  int used = 0;
  if (type_ == Type::file) return pipe_bytes;
  const bool known = ioctl(fd_, type_ == Type::pipe ? FIONREAD : TIOCOUTQ, &used) == 0;
  const std::uint64_t all = type_ == Type::pipe ? capacity_ : pipe_bytes;
  return known ? all - std::min(all, static_cast<std::uint64_t>(used)) : all;
}

std::uint64_t CaptureOutput::chunk() const {
  return type_ == Type::pipe ? std::max<std::uint64_t>(capacity_ / 4, 2 * PIPE_BUF) - PIPE_BUF : block_bytes;
}

void CaptureOutput::put(std::string text, int from, std::uint64_t size, const std::string& name) {
  if (totals_.bytes == 0) first_ = std::chrono::steady_clock::now();
  text_ = std::move(text);
  sent_ = 0;
  from_ = from;
  left_ = size;
  image_ = name;
  reads_ = copies_;
}

ssize_t CaptureOutput::write_some(const char* bytes, std::size_t size) {
  if (type_ == Type::socket) return send(fd_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (type_ == Type::file) return write(fd_, bytes, size);
  if (own_) return write(own_.fd(), bytes, size);
  // A pipe that is ready takes so much without waiting.
  pollfd ready{fd_, POLLOUT, 0};
  if (poll(&ready, 1, 0) == 1) return write(fd_, bytes, std::min<std::size_t>(size, PIPE_BUF));
  errno = EAGAIN;
  return -1;
}

ssize_t CaptureOutput::splice_some() {
  const std::size_t size = std::min(left_, largest_splice);
  const ssize_t done = splice(from_, nullptr, fd_, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (done > 0) left_ -= static_cast<std::uint64_t>(done);
  return done;
}

bool CaptureOutput::fail_to_read(int number) {
  error_ = number != 0 ? system_error(Reason::io_read, image_, number) : Error{Reason::changed, image_};
  error_.want = left_;
  return false;
}

// The next bytes of the image, into memory.
bool CaptureOutput::read_some() {
  text_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left_, block_bytes)));
  sent_ = 0;
  const ssize_t got = read(from_, text_.data(), text_.size());
  const int number = got < 0 ? errno : 0;
  text_.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  left_ -= text_.size();
  return got > 0 || number == EINTR || fail_to_read(number);
}

// Takes note of what a call has written; or of why it has not.
bool CaptureOutput::moved(ssize_t size) {
  if (size > 0) {
    totals_.bytes += static_cast<std::uint64_t>(size);
    return true;
  }
  if (size < 0 && errno == EINTR) return true;
  is_waiting_ = size < 0 && errno == EAGAIN;
  if (!is_waiting_) error_ = system_error(Reason::io_write, name_, size < 0 ? errno : ENOSPC);
  return is_waiting_;
}

bool CaptureOutput::pump() {
  while (is_busy() && !is_waiting_) {
    ssize_t done;
    if (sent_ < text_.size()) {
      done = write_some(text_.data() + sent_, text_.size() - sent_);
      sent_ += static_cast<std::size_t>(std::max<ssize_t>(done, 0));
    } else if (reads_) {
      if (!read_some()) return false;
      continue;
    } else {
      done = splice_some();
      if (done == 0) return fail_to_read(0);
      if (done < 0 && errno == EINVAL) {
        reads_ = true;  // not between these two
        continue;
      }
    }
    if (!moved(done)) return false;
  }
  if (!is_busy()) {
    const auto time = std::chrono::steady_clock::now() - first_;
    totals_.milliseconds =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  }
  return true;
}

}  // namespace critpipe
