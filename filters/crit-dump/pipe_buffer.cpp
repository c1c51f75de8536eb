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
constexpr std::uint64_t stripe = 256 << 10;

void block_sigpipe() {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &one, nullptr);
}

// Takes memory for a file now: in a virtual machine, the first touch of a page may cost more than to copy it.
void take_memory(int fd, std::uint64_t bytes) {
  if (bytes == 0 || fallocate(fd, 0, 0, static_cast<off_t>(bytes)) != 0) return;
  void* const mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return;
  (void)madvise(mapped, bytes, MADV_POPULATE_WRITE);
  munmap(mapped, bytes);
}

}  // namespace

PipeBuffer::PipeBuffer(int to, std::string name, std::uint64_t most, std::uint64_t expected, Error& error)
    : to_{to}, name_{std::move(name)}, most_{most} {
  constexpr std::uint64_t row = stripe * std::tuple_size_v<decltype(memory_)>;
  if (most > everything - row) most_ = everything;
  if (most_ != everything) most_ = (std::max<std::uint64_t>(most, 1) + row - 1) / row * row;
  for (OwnedDescriptor& file : memory_) {
    file = OwnedDescriptor{memfd_create("checkpoint", MFD_CLOEXEC)};
    if (!file) error = system_error(Reason::io_open, "memory", errno);
  }
  if (error || !pipe_pair(out_, in_, error) || !pipe_pair(stopped_, stop_, error)) return;
  (void)fcntl(in_.fd(), F_SETPIPE_SZ, pipe_bytes);
  for (const OwnedDescriptor& file : memory_)
    take_memory(file.fd(), (std::min(expected, most_) + row - 1) / row * stripe);
  struct stat status;
  if (fstat(to, &status) == 0) {
    is_pipe_ = S_ISFIFO(status.st_mode);
    is_socket_ = S_ISSOCK(status.st_mode);
  }
  // Others may have the descriptor, too: its flags stay as they are.
  if (is_pipe_) own_to_ = OwnedDescriptor{open(descriptor_path(to).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)};
  try {
    for (std::thread& taker : takers_) taker = std::thread{[this] { take(); }};
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
  for (std::thread& taker : takers_)
    if (taker.joinable()) taker.join();
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

PipeBuffer::Place PipeBuffer::place_of(std::uint64_t position) const {
  const std::uint64_t in_memory = most_ == everything ? position : position % most_;
  const std::uint64_t row = in_memory / stripe / memory_.size(), at = in_memory % stripe;
  return {.fd = memory_[in_memory / stripe % memory_.size()].fd(),
          .offset = static_cast<off_t>(row * stripe + at),
          .room = stripe - at};
}

// Moves the next bytes into a pipe of the taker's own, as many as there is room for.
std::optional<PipeBuffer::Part> PipeBuffer::take_part(int pipe) {
  const std::lock_guard turn{turn_};
  while (!is_read_) {
    Part part;
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [&] { return gives_up_ || taken_ - sent_ < most_; });
      if (gives_up_) return std::nullopt;
      part = {.begin = taken_, .size = std::min(most_ - (taken_ - sent_), place_of(taken_).room)};
    }
    if (!waits_for_input()) return std::nullopt;
    const ssize_t got = splice(out_.fd(), nullptr, pipe, nullptr, part.size, SPLICE_F_NONBLOCK);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) {
      fail(system_error(Reason::io_read, "pipe", errno));
      return std::nullopt;
    }
    is_read_ = got == 0;
    part.size = static_cast<std::uint64_t>(got);
    const std::lock_guard lock{mutex_};
    taken_ += part.size;
    return part;
  }
  return std::nullopt;
}

// False: it is the end, or was given up.
bool PipeBuffer::hold_part(int pipe, Part part) {
  Place place = place_of(part.begin);
  for (std::uint64_t left = part.size; left > 0;) {
    const ssize_t got = splice(pipe, nullptr, place.fd, &place.offset, left, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      fail(system_error(Reason::io_write, "memory", got < 0 ? errno : EIO));
      return false;
    }
    left -= static_cast<std::uint64_t>(got);
  }
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [&] { return gives_up_ || held_ == part.begin; });
  if (gives_up_) return false;
  held_ += part.size;
  has_ended_ = part.size == 0;
  changed_.notify_all();
  return !has_ended_;
}

// To move pages from pipe to pipe costs little: takers take turns at it. They copy them side by side, each into a file
// of its own, because to write into a file locks it.
void PipeBuffer::take() {
  block_sigpipe();
  Error error;
  OwnedDescriptor to, from;
  if (pipe_pair(from, to, error)) {
    (void)fcntl(to.fd(), F_SETPIPE_SZ, pipe_bytes);
    for (auto part = take_part(to.fd()); part && hold_part(from.fd(), *part);) part = take_part(to.fd());
  } else {
    fail(error);
  }
  const std::lock_guard turn{turn_};
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
  std::vector<char> block(stripe);
  while (true) {
    Place place;
    std::uint64_t size = 0;
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [&] { return gives_up_ || has_ended_ || sent_ < held_; });
      if (gives_up_ || sent_ == held_) return;
      place = place_of(sent_);
      size = std::min(held_ - sent_, place.room);
    }
    const ssize_t got = pread(place.fd, block.data(), static_cast<std::size_t>(size), place.offset);
    if (got <= 0) return fail(system_error(Reason::io_read, "memory", got < 0 ? errno : EIO));
    for (std::size_t done = 0; done < static_cast<std::size_t>(got);) {
      const ssize_t wrote = write_some(block.data() + done, static_cast<std::size_t>(got) - done);
      if (wrote < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (wrote <= 0) return fail(system_error(Reason::io_write, name_, wrote < 0 ? errno : ENOSPC));
      done += static_cast<std::size_t>(wrote);
    }
    // Of a checkpoint that is held as a whole, what has gone on is not held any longer.
    if (most_ == everything) (void)fallocate(place.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place.offset, got);
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
  for (std::thread& taker : takers_)
    if (taker.joinable()) taker.join();
  if (sender_.joinable()) sender_.join();
  return error_;
}

}  // namespace critpipe::filters
