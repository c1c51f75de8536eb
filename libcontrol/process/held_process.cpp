#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "critpipe/control/process.hpp"
#include "process/proc_text.hpp"

namespace critpipe {

namespace {

// Why a pid cannot be held: a thread has a number, too.
Error no_process(pid_t pid, int number) {
  const std::string name = "process " + std::to_string(pid);
  const ProcDirectory directory{pid};
  const auto status = directory ? directory.read("status") : std::nullopt;
  const auto leader = status ? line_value(*status, "Tgid:") : std::nullopt;
  const std::uint64_t leader_pid = leader ? leading_number(*leader).value_or(0) : 0;
  Error error = system_error(Reason::io_open, name, number == EINVAL ? ESRCH : number);
  if (leader_pid != 0 && static_cast<pid_t>(leader_pid) != pid)
    error.name = "it is a thread of process " + std::to_string(leader_pid);
  return error;
}

}  // namespace

HeldProcess HeldProcess::open(pid_t pid, Error& error) {
  HeldProcess process;
  const int pidfd = pid > 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : (errno = ESRCH, -1);
  if (pidfd < 0) {
    error = no_process(pid, errno);
    return process;
  }
  OwnedDescriptor held{pidfd};
  // The pid was this process's from before the time is read until after it.
  const auto stat = ProcDirectory{pid}.stat();
  pollfd ended = {held.fd(), POLLIN, 0};
  if (!stat || poll(&ended, 1, 0) != 0) {
    error = system_error(Reason::io_open, "process " + std::to_string(pid), ESRCH);
    if (stat) error.name = "it has ended: a zombie is left of it until its parent waits for it";
    return process;
  }
  process.pid_ = pid;
  process.start_time_ = stat->start_time;
  process.pidfd_ = std::move(held);
  return process;
}

bool HeldProcess::is_alive() const {
  pollfd ended = {pidfd_.fd(), POLLIN, 0};
  return pidfd_ && poll(&ended, 1, 0) == 0;
}

}  // namespace critpipe
