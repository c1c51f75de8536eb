#include "jobs/scripted_criu.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "process/proc_text.hpp"

namespace critpipe {

namespace {

constexpr std::size_t longest_event = 4096;

std::string path_of(int fd) { return descriptor_path(getpid(), fd); }

// No name is ever a part of this text; CRIU says what it is in the environment. CRIU's script inherits no descriptors,
// so it opens ours. Without us, it fails.
std::string script_text(int events, int replies) {
  std::string text = "#!/bin/sh\nprintf '%s %s\\n' \"$CRTOOLS_SCRIPT_ACTION\" \"${CRTOOLS_INIT_PID:-0}\" >";
  text += path_of(events);
  text += " && read -r answer <";
  text += path_of(replies);
  text += " && [ \"$answer\" = yes ]\n";
  return text;
}

// In memory, since directories for such files are often mounted so that nothing in them can be run.
OwnedDescriptor make_script(const std::string& text, Error& error) {
  constexpr unsigned executable = 0x10;  // MFD_EXEC, of newer kernels
  OwnedDescriptor file{memfd_create("notify", MFD_CLOEXEC | executable)};
  if (!file) file = OwnedDescriptor{memfd_create("notify", MFD_CLOEXEC)};
  OwnedDescriptor script;
  if (file && fchmod(file.fd(), 0700) == 0 &&
      write(file.fd(), text.data(), text.size()) == static_cast<ssize_t>(text.size()))
    script = OwnedDescriptor{
        open(path_of(file.fd()).c_str(), O_RDONLY | O_CLOEXEC)};  // what is open to be written cannot be run
  if (!script) error = system_error(Reason::io_open, "script in memory", errno);
  return script;
}

}  // namespace

Error ScriptedCriu::start(const CriuSetup& setup, std::vector<std::string> words) {
  Error error;
  if (!pipe_pair(events_, events_end_, error) || !pipe_pair(replies_end_, replies_, error)) return error;
  fcntl(events_.fd(), F_SETFL, O_NONBLOCK);
  script_ = make_script(script_text(events_end_.fd(), replies_end_.fd()), error);
  if (error) return error;
  printed_ = OwnedDescriptor{memfd_create("criu-output", MFD_CLOEXEC)};

  std::vector<std::string> command{setup.program};
  command.insert(command.end(), words.begin(), words.end());
  command.push_back("--action-script");
  command.push_back(path_of(script_.fd()));
  for (const auto& [key, fd] : setup.inherited) command.push_back("--inherit-fd=fd[" + std::to_string(fd) + "]:" + key);
  command.insert(command.end(), setup.words.begin(), setup.words.end());

  ChildOptions options{.output = printed_.fd(), .error_output = printed_.fd()};
  for (const auto& [key, fd] : setup.inherited) options.keep.push_back(fd);
  options.input = setup.terminal;
  options.new_session = setup.terminal < 0;
  restores_ = command[1] == "restore";
  options.ends_group = !restores_;  // that of a restore may have tasks in it
  error = child_.start(command, options);
  if (error) {
    error.reason = Reason::no_criu;
    error.name = "cannot start " + visible(setup.program) + ": " + error.name;
    error.image.clear();
  }
  return error;
}

bool ScriptedCriu::next(CriuNotification& notification) {
  char block[512];
  for (ssize_t got; (got = read(events_.fd(), block, sizeof block)) != 0;) {
    if (got > 0) waiting_.append(block, static_cast<std::size_t>(got));
    else if (errno != EINTR) break;
    if (waiting_.size() > longest_event) break;
  }
  const std::size_t end = waiting_.find('\n');
  if (end == std::string::npos) return false;
  const std::vector<std::string_view> parts = words_of(std::string_view{waiting_}.substr(0, end));
  name_ = parts.empty() ? "" : parts[0];
  notification = {};
  notification.name = name_;
  if (parts.size() > 1) notification.pid = static_cast<pid_t>(leading_number(parts[1]).value_or(0));
  for (const CriuEventRow& row : criu_events())
    if (row.name == name_) notification.event = row.event;
  event_ = notification.event;
  waiting_.erase(0, end + 1);
  return true;
}

void ScriptedCriu::reply(bool success) {
  if (success && (event_ == CriuEvent::post_dump || event_ == CriuEvent::post_restore)) is_decided_ = true;
  if (!replies_) return;
  // A script that has gone must not end us by a signal.
  sigset_t pipe_signal, before, pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const std::string_view text = success ? "yes\n" : "no\n";
  if (write(replies_.fd(), text.data(), text.size()) < 0 && errno == EPIPE && sigpending(&pending) == 0 &&
      sigismember(&pending, SIGPIPE)) {
    const timespec now = {};
    sigtimedwait(&pipe_signal, nullptr, &now);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ScriptedCriu::hang_up() { replies_.reset(); }

Error ScriptedCriu::end(int status, int log_fd) const {
  if (status == 0) return {};
  std::string text = log_fd >= 0 ? first_error_of(log_fd).first : "";
  if (text.empty()) text = first_error_of(printed_.fd()).first;
  if (text.empty()) {
    char block[1024];
    const ssize_t got = pread(printed_.fd(), block, sizeof block, 0);
    const std::string_view printed{block, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    text = printed.substr(0, printed.find('\n'));
  }
  if (text.empty()) text = "it does not say why";
  if (WIFSIGNALED(status)) text = "killed by signal " + std::to_string(WTERMSIG(status)) + ": " + text;
  return {.reason = Reason::criu_failed, .name = visible(text)};
}

}  // namespace critpipe
