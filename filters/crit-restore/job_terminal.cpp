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

namespace critpipe::filters {

namespace {

bool write_all(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t done = write(fd, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

// Copies what there is. False: there will be no more.
bool copy_some(int from, int to) {
  char block[4096];
  const ssize_t got = read(from, block, sizeof block);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  return got > 0 && write_all(to, block, static_cast<std::size_t>(got));
}

// Joins the master's end of a terminal with standard input and output until the child ends. Returns its status.
int relay(int master, pid_t child, bool reads_stdin) {
  const OwnedDescriptor end{static_cast<int>(syscall(SYS_pidfd_open, child, 0))};
  bool has_input = !reads_stdin, has_output = true;
  while (true) {
    pollfd waiting[] = {
        {end.fd(), POLLIN, 0}, {has_output ? master : -1, POLLIN, 0}, {has_input ? STDIN_FILENO : -1, POLLIN, 0}};
    if (poll(waiting, 3, -1) < 0 && errno != EINTR) break;
    if (waiting[1].revents) {
      has_output = copy_some(master, STDOUT_FILENO);
      continue;  // all of it, even what was written last
    }
    if (waiting[2].revents && !copy_some(STDIN_FILENO, master)) {
      has_input = false;
      constexpr char end_of_file = 4;  // as a terminal says it
      (void)write_all(master, &end_of_file, 1);
    }
    if (waiting[0].revents) break;
  }
  return wait_for(child);
}

}  // namespace

int wait_for(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return 125;
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
