#include "engines/run_command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "critpipe/control/process.hpp"

namespace critpipe {

namespace {

constexpr std::size_t most_output = std::size_t{16} << 20;
constexpr std::size_t most_errors = std::size_t{16} << 10;

// False: nothing more will come.
bool take(int fd, std::string& text, std::size_t most) {
  char block[16384];
  const ssize_t got = read(fd, block, sizeof block);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (text.size() < most) text.append(block, static_cast<std::size_t>(got));
  return got > 0;
}

// The last line, which is where programs say what is wrong.
std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return std::string{text.substr(text.rfind('\n') + 1)};
}

}  // namespace

CommandAnswer run_command(const std::vector<std::string>& words, const CommandOptions& options) {
  CommandAnswer answer;
  OwnedDescriptor ends[4];
  if (!pipe_pair(ends[0], ends[1], answer.error) || !pipe_pair(ends[2], ends[3], answer.error)) return answer;
  Child child;
  ChildOptions how{.output = ends[1].fd(), .error_output = ends[3].fd()};
  how.dies_with_us = true;
  answer.error = child.start(words, how);
  if (answer.error) return answer;
  ends[1].reset();
  ends[3].reset();
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds{options.seconds};
  std::string errors;
  bool is_stopped = false;
  pollfd waiting[] = {
      {ends[0].fd(), POLLIN, 0}, {ends[2].fd(), POLLIN, 0}, {options.stop_fd, POLLIN, 0}, {child.pidfd(), POLLIN, 0}};
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    is_stopped = (options.seconds && left <= 0) || (waiting[2].fd >= 0 && waiting[2].revents);
    if (is_stopped) break;
    if (poll(waiting, 4, options.seconds ? static_cast<int>(left) : -1) < 0 && errno != EINTR) break;
    // What it leaves running, such as the monitor of a container, may hold the pipes for ever: what is in them counts.
    if (waiting[3].revents && !waiting[0].revents && !waiting[1].revents) break;
    if (waiting[0].revents && !take(ends[0].fd(), answer.output, most_output)) waiting[0].fd = -1;
    if (waiting[1].revents && !take(ends[2].fd(), errors, most_errors)) waiting[1].fd = -1;
  }
  if (is_stopped) child.signal(SIGKILL);
  const int status = child.wait();
  if (is_stopped) answer.error = {.reason = Reason::usage, .image = words[0], .name = "it has not ended in time"};
  else if (status != 0) {
    std::string text = visible(last_line(errors));
    if (text.empty()) text = "it fails, and does not say why";
    answer.error = {.reason = Reason::usage, .image = words[0], .name = std::move(text)};
  }
  return answer;
}

}  // namespace critpipe
