#include "crit-dump/pipe_packer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

namespace critpipe::filters {

namespace {

constexpr int pipe_bytes = 1 << 20;

}  // namespace

// Writes into a pipe, and counts.
class PipePacker::Counted final : public Output {
 public:
  explicit Counted(int fd) : file_{fd, "standard output"} {}
  std::uint64_t count() const { return count_; }

 private:
  bool drain(const char* bytes, std::size_t size) override {
    count_ += size;
    file_.write({bytes, size});
    if (file_.flush() == Step::go) return true;
    error_ = file_.error();
    return false;
  }
  FileOutput file_;
  std::uint64_t count_ = 0;
};

PipePacker::PipePacker(int to, MakePacker make, Error& error)
    : to_{fcntl(to, F_DUPFD_CLOEXEC, 3)}, make_{std::move(make)} {
  if (!to_) error = system_error(Reason::io_open, "pipe", errno);
  if (error || !pipe_pair(out_, in_, error)) return;
  (void)fcntl(in_.fd(), F_SETPIPE_SZ, pipe_bytes);
  below_ = std::make_unique<Counted>(to_.fd());
  packer_ = make_(*below_);
  thread_ = std::thread{[this] { pack(); }};
}

PipePacker::~PipePacker() {
  {
    // Whoever was to write may hold the pipe open for longer than we live.
    const std::lock_guard lock{mutex_};
    gives_up_ = true;
  }
  in_.reset();
  if (thread_.joinable()) thread_.join();
}

void PipePacker::pack() {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &one, nullptr);
  std::vector<char> block(block_bytes);
  constexpr int moment = 20;  // milliseconds, after which it is seen that the archive is to be ended
  Step step = Step::go;
  while (step == Step::go) {
    {
      const std::lock_guard lock{mutex_};
      if (gives_up_) return;
      if (taken_ >= settles_at_) {
        if (packer_->finish() == Step::go && below_->flush() == Step::go) packer_ = make_(*below_);
        else step = Step::stop;
        packed_ = below_->count();
        settles_at_ = ~std::uint64_t{0};
        is_settled_ = true;
        changed_.notify_all();
        continue;
      }
    }
    pollfd waiting{out_.fd(), POLLIN, 0};
    if (poll(&waiting, 1, moment) <= 0) continue;
    const ssize_t got = read(out_.fd(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    packer_->write({block.data(), static_cast<std::size_t>(got)});
    step = packer_->step();
    const std::lock_guard lock{mutex_};
    taken_ += static_cast<std::uint64_t>(got);
  }
  if (step == Step::go) step = packer_->finish() == Step::go ? below_->flush() : Step::stop;
  out_.reset();
  to_.reset();
  const std::lock_guard lock{mutex_};
  has_ended_ = true;
  if (step == Step::stop)
    error_ = packer_->error()  ? packer_->error()
             : below_->error() ? below_->error()
                               : system_error(Reason::io_write, "standard output", EPIPE);
  changed_.notify_all();
}

Error PipePacker::settle(std::uint64_t bytes, int stop_fd, std::uint64_t& packed) {
  constexpr auto moment = std::chrono::milliseconds{20};
  std::unique_lock lock{mutex_};
  is_settled_ = false;
  settles_at_ = bytes;
  while (!has_ended_ && !is_settled_) {
    pollfd stop{stop_fd, POLLIN, 0};
    if (stop_fd >= 0 && poll(&stop, 1, 0) > 0)
      return {.reason = Reason::io_write, .image = "standard output", .name = "stopped"};
    changed_.wait_for(lock, moment);
  }
  packed = packed_;
  return error_;
}

Error PipePacker::finish(const std::function<bool()>& stops) {
  constexpr auto moment = std::chrono::milliseconds{20};
  in_.reset();
  std::unique_lock lock{mutex_};
  while (!has_ended_) {
    lock.unlock();
    if (stops()) return {.reason = Reason::io_write, .image = "standard output", .name = "stopped"};
    lock.lock();
    changed_.wait_for(lock, moment);
  }
  lock.unlock();
  if (thread_.joinable()) thread_.join();
  return error_;
}

}  // namespace critpipe::filters
