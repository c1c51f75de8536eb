#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "critpipe/control/process.hpp"
#include "process/program_path.hpp"

namespace critpipe {

namespace {

// Everything that the child needs, made before the fork: in a program with threads it may not allocate.
struct Exec {
  std::vector<std::string> candidates;  // paths of the program, tried in order
  std::vector<char*> arguments;
  std::vector<std::string> texts;
  std::vector<char*> environment;
};

Exec prepare(const std::vector<std::string>& command, const ChildOptions& options) {
  Exec exec;
  exec.candidates = candidates_of(command[0]);
  for (const std::string& argument : command) exec.arguments.push_back(const_cast<char*>(argument.c_str()));
  exec.arguments.push_back(nullptr);
  for (char** entry = environ; *entry; ++entry) {
    const char* equals = std::strchr(*entry, '=');
    const std::string name(*entry, equals ? static_cast<std::size_t>(equals - *entry) + 1 : std::strlen(*entry));
    bool replaced = false;
    for (const std::string& added : options.environment) replaced = replaced || added.starts_with(name);
    if (!replaced) exec.environment.push_back(*entry);
  }
  for (const std::string& added : options.environment) exec.environment.push_back(const_cast<char*>(added.c_str()));
  exec.environment.push_back(nullptr);
  return exec;
}

// A standard descriptor of the child. `fd` may be one of the three itself.
bool set_standard(int fd, int number) {
  if (fd == number) return fcntl(fd, F_SETFD, 0) == 0;
  return dup2(fd, number) == number;
}

[[noreturn]] void fail(int report) {
  const int number = errno;
  (void)!write(report, &number, sizeof number);
  _exit(127);
}

// In the child: nothing but calls that are safe after a fork of a program with threads.
[[noreturn]] void run(const Exec& exec, const ChildOptions& options, pid_t parent, int report) {
  // The three must not overwrite one another while they are set.
  int standard[3] = {options.input, options.output, options.error_output};
  if (standard[0] < 0) standard[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int i = 0; i < 3; ++i) {
    if (standard[i] < 0) standard[i] = i;
    if (standard[i] < 3 && standard[i] != i) standard[i] = fcntl(standard[i], F_DUPFD_CLOEXEC, 3);
  }
  for (int i = 0; i < 3; ++i)
    if (!set_standard(standard[i], i) && i == 0) fail(report);  // ours may be closed
  for (const int fd : options.keep)
    if (fcntl(fd, F_SETFD, 0) != 0) fail(report);
  if (options.new_session) setsid();
  if (options.dies_with_us) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
  }
  if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) fail(report);
  struct sigaction standard_action = {};
  standard_action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &standard_action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  int number = ENOENT;
  for (const std::string& path : exec.candidates) {
    execve(path.c_str(), exec.arguments.data(), exec.environment.data());
    if (errno != ENOENT && errno != ENOTDIR) number = errno;
  }
  errno = number;
  fail(report);
}

int wait_on(int pidfd, int options, siginfo_t& info) {
  int result;
  do result = waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED | options);
  while (result != 0 && errno == EINTR);
  return result;
}

int status_of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return (info.si_status & 0xff) << 8;
  return info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
}

}  // namespace

Child::Child(Child&& other) noexcept
    : pid_{other.pid_}, pidfd_{std::move(other.pidfd_)}, ends_group_{other.ends_group_} {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(ends_group_, other.ends_group_);
  return *this;
}

Child::~Child() {
  if (!is_running()) return;
  signal(SIGKILL);
  wait();
}

Error Child::start(const std::vector<std::string>& command, const ChildOptions& options) {
  Error error;
  OwnedDescriptor read_end, write_end;
  if (!pipe_pair(read_end, write_end, error)) return error;
  const Exec exec = prepare(command, options);
  const pid_t parent = getpid();
  sigset_t all, before;  // no handler of ours runs in the child
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork();
  if (pid == 0) run(exec, options, parent, write_end.fd());
  const int fork_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return system_error(Reason::io_open, command[0], fork_error);
  write_end.reset();
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) error = system_error(Reason::io_open, command[0], errno);
  int number = 0;
  ssize_t got;
  do got = read(read_end.fd(), &number, sizeof number);
  while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof number)) error = system_error(Reason::io_open, command[0], number);
  if (error) {
    if (pidfd < 0) kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (pidfd >= 0) close(pidfd);
    return error;
  }
  pid_ = pid;
  pidfd_ = OwnedDescriptor{pidfd};
  ends_group_ = options.new_session && options.ends_group;
  return {};
}

void Child::signal(int number) const {
  if (pidfd_) syscall(SYS_pidfd_send_signal, pidfd_.fd(), number, nullptr, 0);
}

int Child::wait() {
  if (!pidfd_) return -1;
  siginfo_t info = {};
  // As long as it has not been reaped, its group is nobody else's.
  if (ends_group_ && wait_on(pidfd_.fd(), WNOWAIT, info) == 0 && info.si_code != CLD_EXITED) kill(-pid_, SIGKILL);
  const int result = wait_on(pidfd_.fd(), 0, info);
  pidfd_.reset();
  return result == 0 ? status_of(info) : -1;
}

bool Child::wait_for(int milliseconds, int& status) {
  if (pidfd_) {
    pollfd ended = {pidfd_.fd(), POLLIN, 0};
    if (poll(&ended, 1, milliseconds) <= 0) return false;
  }
  status = wait();
  return true;
}

bool Child::ends_before(int stop_fd) const {
  pollfd waiting[] = {{pidfd(), POLLIN, 0}, {stop_fd, POLLIN, 0}};
  while (poll(waiting, 2, -1) < 0 && errno == EINTR) {
  }
  return waiting[0].revents != 0;
}

}  // namespace critpipe
