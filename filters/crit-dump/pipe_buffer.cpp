#include "crit-dump/pipe_buffer.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "critpipe/base.hpp"

namespace critpipe::filters {

namespace {

constexpr int pipe_bytes = 1 << 20;
constexpr std::uint64_t most_at_once = 1 << 20;

void block_sigpipe() {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &one, nullptr);
}

// Takes memory for a file now: in a virtual machine, the first touch of a page may cost more than to copy it.
void take_memory(int fd, std::uint64_t bytes) {
  if (bytes == 0 || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) != 0) return;
  void* const mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return;
  (void)madvise(mapped, bytes, MADV_POPULATE_WRITE);
  munmap(mapped, bytes);
}

}  // namespace

PipeBuffer::PipeBuffer(int to, std::string name, std::uint64_t most, std::uint64_t expected, Error& error)
    : to_{to}, name_{std::move(name)}, most_{std::max<std::uint64_t>(most, most_at_once)} {
  memory_ = OwnedDescriptor{memfd_create("checkpoint", MFD_CLOEXEC)};
  if (!memory_) error = system_error(Reason::io_open, "memory", errno);
  if (error || !pipe_pair(out_, in_, error) || !pipe_pair(stopped_, stop_, error)) return;
  (void)fcntl(in_.fd(), F_SETPIPE_SZ, pipe_bytes);
  take_memory(memory_.fd(), std::min(expected, most_));
  struct stat status;
  if (fstat(to, &status) == 0) {
    is_pipe_ = S_ISFIFO(status.st_mode);
    is_socket_ = S_ISSOCK(status.st_mode);
  }
  // Others may have the descriptor, too: its flags stay as they are.
  if (is_pipe_)
    own_to_ = OwnedDescriptor{open(("/proc/self/fd/" + std::to_string(to)).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)};
  try {
    taker_ = std::thread{[this] { take(); }};
    sender_ = std::thread{[this] { send(); }};
  } catch (const std::system_error& failure) {
    error = system_error(Reason::io_open, "a thread for --buffer", failure.code().value());
  }
}

PipeBuffer::~PipeBuffer() {
  {
    const std::lock_guard lock{mutex_};
    gives_up_ = true;
    stop_.reset();  // those who poll see it
    changed_.notify_all();
  }
  in_.reset();
  if (taker_.joinable()) taker_.join();
  if (sender_.joinable()) sender_.join();
}

void PipeBuffer::fail(const Error& error) {
  const std::lock_guard lock{mutex_};
  if (!error_) error_ = error;
  gives_up_ = true;
  changed_.notify_all();
}

// False: there is no more, or nobody wants it.
bool PipeBuffer::waits_for_input() {
  pollfd waiting[] = {{out_.fd(), POLLIN, 0}, {stopped_.fd(), POLLIN, 0}};
  while (poll(waiting, 2, -1) < 0 && errno == EINTR) {
  }
  return waiting[1].revents == 0;
}

void PipeBuffer::take() {
  block_sigpipe();
  while (true) {
    std::uint64_t begin = 0, room = 0;
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [&] { return gives_up_ || held_ - sent_ < most_; });
      if (gives_up_) break;
      begin = most_ == everything ? held_ : held_ % most_;
      room = std::min({most_ - (held_ - sent_), most_ - begin, most_at_once});
    }
    if (!waits_for_input()) break;
    auto offset = static_cast<off_t>(begin);
    const ssize_t got =
        splice(out_.fd(), nullptr, memory_.fd(), &offset, static_cast<std::size_t>(room), SPLICE_F_NONBLOCK);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) {
      fail(system_error(Reason::io_write, "memory", errno));
      break;
    }
    const std::lock_guard lock{mutex_};
    held_ += static_cast<std::uint64_t>(got);
    has_ended_ = got == 0;
    changed_.notify_all();
    if (has_ended_) break;
  }
  out_.reset();  // who still writes sees that nobody reads
}

ssize_t PipeBuffer::write_some(const char* bytes, std::size_t size) {
  pollfd waiting[] = {{to_, POLLOUT, 0}, {stopped_.fd(), POLLIN, 0}};
  if ((is_pipe_ || is_socket_) && poll(waiting, 2, -1) > 0 && waiting[1].revents) {
    errno = ECANCELED;
    return -1;
  }
  if (is_socket_) return ::send(to_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (own_to_) return write(own_to_.fd(), bytes, size);
  return write(to_, bytes, is_pipe_ ? std::min<std::size_t>(size, PIPE_BUF) : size);
}

void PipeBuffer::send() {
  block_sigpipe();
  std::vector<char> block(most_at_once / 4);
  while (true) {
    std::uint64_t begin = 0, size = 0;
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [&] { return gives_up_ || has_ended_ || sent_ < held_; });
      if (gives_up_ || sent_ == held_) return;
      begin = most_ == everything ? sent_ : sent_ % most_;
      size = std::min({held_ - sent_, most_ - begin, std::uint64_t{block.size()}});
    }
    const ssize_t got = pread(memory_.fd(), block.data(), static_cast<std::size_t>(size), static_cast<off_t>(begin));
    if (got <= 0) return fail(system_error(Reason::io_read, "memory", got < 0 ? errno : EIO));
    for (std::size_t done = 0; done < static_cast<std::size_t>(got);) {
      const ssize_t wrote = write_some(block.data() + done, static_cast<std::size_t>(got) - done);
      if (wrote < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (wrote <= 0) return fail(system_error(Reason::io_write, name_, wrote < 0 ? errno : ENOSPC));
      done += static_cast<std::size_t>(wrote);
    }
    // Of a checkpoint that is held as a whole, what has gone on is not held any longer.
    if (most_ == everything)
      (void)fallocate(memory_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin), got);
    const std::lock_guard lock{mutex_};
    sent_ += static_cast<std::uint64_t>(got);
    changed_.notify_all();
  }
}

Error PipeBuffer::wait_for(const std::uint64_t& count, std::uint64_t bytes, int stop_fd) {
  constexpr auto moment = std::chrono::milliseconds{20};
  std::unique_lock lock{mutex_};
  while (!error_ && count < bytes) {
    pollfd stop{stop_fd, POLLIN, 0};
    if (stop_fd >= 0 && poll(&stop, 1, 0) > 0) return {.reason = Reason::io_write, .image = name_, .name = "stopped"};
    changed_.wait_for(lock, moment);
  }
  return error_;
}

Error PipeBuffer::finish(const std::function<bool()>& stops) {
  constexpr auto moment = std::chrono::milliseconds{20};
  in_.reset();
  std::unique_lock lock{mutex_};
  while (!gives_up_ && !(has_ended_ && sent_ == held_)) {
    lock.unlock();
    if (stops()) return {.reason = Reason::io_write, .image = name_, .name = "stopped"};
    lock.lock();
    changed_.wait_for(lock, moment);
  }
  lock.unlock();
  if (taker_.joinable()) taker_.join();
  if (sender_.joinable()) sender_.join();
  return error_;
}

}  // namespace critpipe::filters
