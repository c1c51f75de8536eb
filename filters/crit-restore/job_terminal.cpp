#include "crit-restore/job_terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

namespace critpipe::filters {

namespace {

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

// What there is. Nothing: there will be no more.
std::optional<std::string> read_some(int from) {
  std::string block(4096, '\0');
  const ssize_t got = read(from, block.data(), block.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return "";
  if (got <= 0) return std::nullopt;
  block.resize(static_cast<std::size_t>(got));
  return block;
}

// Joins the master's end of a terminal with standard input and output until the child ends. Returns its status. The
// terminal takes input when the job reads it: nobody else waits for that.
int relay(int master, pid_t child, bool reads_stdin) {
  const OwnedDescriptor end{static_cast<int>(syscall(SYS_pidfd_open, child, 0))};
  fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
  bool has_input = !reads_stdin, has_output = true;
  std::string input;  // that the terminal has not taken yet
  while (true) {
    const auto wanted = static_cast<short>((has_output ? POLLIN : 0) | (input.empty() ? 0 : POLLOUT));
    pollfd waiting[] = {{end.fd(), POLLIN, 0},
                        {wanted ? master : -1, wanted, 0},
                        {has_input && input.empty() ? STDIN_FILENO : -1, POLLIN, 0}};
    if (poll(waiting, 3, -1) < 0 && errno != EINTR) break;
    if (has_output && (waiting[1].revents & ~POLLOUT) != 0) {
      const auto text = read_some(master);
      has_output = text && write_all(STDOUT_FILENO, *text);
      continue;  // all of it, even what was written last
    }
    if (waiting[1].revents != 0) {
      const ssize_t done = write(master, input.data(), input.size());
      if (done > 0) input.erase(0, static_cast<std::size_t>(done));
      else if (errno != EINTR && errno != EAGAIN) has_input = false, input.clear();
    }
    if (waiting[0].revents) break;
    if (waiting[2].revents) {
      auto text = read_some(STDIN_FILENO);
      has_input = text.has_value();
      constexpr char end_of_file = 4;  // as a terminal says it
      input = text ? std::move(*text) : std::string{end_of_file};
    }
  }
  return wait_for(child);
}

}  // namespace

int wait_for(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return exit_own_error;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::optional<int> JobTerminal::open(Program& program, bool reads_stdin) {
  const bool is_stdin = isatty(STDIN_FILENO) != 0;
  fd_ = OwnedDescriptor{is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : ::open("/dev/tty", O_RDWR | O_CLOEXEC)};
  if (fd_) return std::nullopt;
  if (!program.has("wait"))
    program.usage("--shell-job needs a terminal, and there is none: --wait makes one, for as long as it waits");
  const OwnedDescriptor master{posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  OwnedDescriptor slave;
  if (master && unlockpt(master.fd()) == 0)
    slave = OwnedDescriptor{ioctl(master.fd(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)};
  // The leader of a session must live as long as the job: its end would take the terminal away.
  const pid_t child = slave ? fork() : -1;
  if (child > 0) {
    slave.reset();
    return relay(master.fd(), child, reads_stdin);
  }
  if (child < 0 || setsid() < 0 || ioctl(slave.fd(), TIOCSCTTY, 0) != 0) {
    program.report(system_error(Reason::io_open, "a terminal of its own", errno));
    return program.exit_code();
  }
  fd_ = std::move(slave);
  return std::nullopt;
}

}  // namespace critpipe::filters
