#include "jobs/scripted_criu.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "process/proc_text.hpp"

namespace critpipe {

namespace {

constexpr const char* script_name = "notify";
constexpr std::size_t longest_event = 4096;

// dash knows descriptors of one digit only. These two are none that CRIU is to inherit.
std::pair<int, int> free_numbers(const CriuSetup& setup) {
  std::vector<int> free;
  for (int number = 9; number >= 3; --number)
    if (std::none_of(setup.inherited.begin(), setup.inherited.end(),
                     [&](const auto& inherited) { return inherited.second == number; }))
      free.push_back(number);
  return free.size() < 2 ? std::pair{-1, -1} : std::pair{free[0], free[1]};
}

// No name is ever a part of this text; CRIU says what it is in the environment. Without us at the other end, it fails.
std::string script_text(int events, int replies) {
  std::string text = "printf '%s %s\\n' \"$CRTOOLS_SCRIPT_ACTION\" \"${CRTOOLS_INIT_PID:-0}\" >&";
  text += std::to_string(events);
  text += " && read -r answer <&";
  text += std::to_string(replies);
  text += " && [ \"$answer\" = yes ]\n";
  return text;
}

Error write_script(const PrivateDirectory& work, const std::string& text) {
  const OwnedDescriptor file{openat(work.fd(), script_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700)};
  if (!file || write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return system_error(Reason::io_open, work.path() + "/" + script_name, errno);
  return {};
}

}  // namespace

Error ScriptedCriu::start(const CriuSetup& setup, std::vector<std::string> words, const PrivateDirectory& work) {
  Error error;
  OwnedDescriptor events, replies;
  const auto [events_number, replies_number] = free_numbers(setup);
  if (events_number < 0)
    return {.reason = Reason::usage, .name = "too many descriptors from 3 to 9 are to be inherited"};
  if (!pipe_pair(events_, events, error) || !pipe_pair(replies, replies_, error)) return error;
  fcntl(events_.fd(), F_SETFL, O_NONBLOCK);
  if ((error = write_script(work, script_text(events_number, replies_number)))) return error;
  printed_ = OwnedDescriptor{memfd_create("criu-output", MFD_CLOEXEC)};

  std::vector<std::string> command{setup.program};
  command.insert(command.end(), words.begin(), words.end());
  // CRIU hands it to a shell. The path is ours: mkdtemp's letters below a directory of the system or of our caller.
  std::string quoted = "sh '";
  for (const char letter : work.path() + "/" + script_name)
    quoted += letter == '\'' ? std::string{"'\\''"} : std::string(1, letter);
  command.push_back("--action-script");
  command.push_back(quoted + "'");
  for (const auto& [key, fd] : setup.inherited) command.push_back("--inherit-fd=fd[" + std::to_string(fd) + "]:" + key);
  command.insert(command.end(), setup.words.begin(), setup.words.end());

  ChildOptions options{.output = printed_.fd(), .error_output = printed_.fd()};
  options.renumbered = {{events.fd(), events_number}, {replies.fd(), replies_number}};
  for (const auto& [key, fd] : setup.inherited) options.keep.push_back(fd);
  if (setup.keeps_terminal) options.input = STDIN_FILENO;
  options.new_session = !setup.keeps_terminal;
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
  waiting_.erase(0, end + 1);
  return true;
}

void ScriptedCriu::reply(bool success) {
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
