#include "cli/criu/criu_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace critpipe::filters {

std::string criu_program(const Program& program) { return program.value("criu").value_or("criu"); }

std::unique_ptr<Criu> make_criu(const Program& program) {
  auto criu = std::make_unique<Criu>(criu_program(program));
  if (const auto socket = program.value("service")) criu->set_service(*socket);
  return criu;
}

int patience_of(std::uint64_t seconds) {
  constexpr std::uint64_t most = 1 << 20;
  return seconds == 0 ? -1 : static_cast<int>(std::min(seconds, most)) * 1000;
}

int patience_of(Program& program) { return patience_of(program.number("timeout", 10)); }

void set_options(Program& program, CriuOptions& options) {
  for (const std::string& assignment : program.values("set")) {
    if (Error error = options.assign(assignment)) program.usage("--set: " + error.name);
    const std::string_view field = std::string_view{assignment}.substr(0, assignment.find_first_of(".="));
    for (const CriuOptionRow& row : criu_option_rows())
      if (row.field == field && row.is_ours()) program.usage("--set: " + std::string{field} + " is set by critpipe");
    if (field == "pid") program.usage("--set: the pid is set by critpipe");
  }
}

std::vector<SocketChange> socket_changes(Program& program) {
  std::vector<SocketChange> changes;
  for (const std::string& text : program.values("map-address"))
    if (!parse_socket_change(text, changes.emplace_back()))
      program.usage("--map-address takes OLD=NEW, two addresses of one kind, with a port both or neither, not " + text);
  return changes;
}

void check_files(Program& program, const CriuOptions& options) {
  const std::string config = options.text("config_file");
  if (!config.empty() && access(config.c_str(), R_OK) != 0)
    program.report(system_error(Reason::io_open, config, errno));
  const auto path = program.value("log");
  if (!path) return;
  const OwnedDescriptor file{open(path->c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600)};
  if (!file) program.report(system_error(Reason::io_write, *path, errno));
}

WorkDirectory::WorkDirectory(Error& error) {
  cleanup_ = std::make_unique<SignalCleanup>([&] {
    directory_ = PrivateDirectory{error};
    return SignalCleanup::Made{directory_.path()};
  });
}

struct SignalDescriptor::Masks {
  sigset_t before;
};

SignalDescriptor::SignalDescriptor() : masks_{std::make_unique<Masks>()} {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction action;
    sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&taken, number);
  }
  pthread_sigmask(SIG_BLOCK, &taken, &masks_->before);
  fd_ = OwnedDescriptor{signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK)};
}

SignalDescriptor::~SignalDescriptor() {
  while (take() != 0) {
  }
  pthread_sigmask(SIG_SETMASK, &masks_->before, nullptr);
}

bool SignalDescriptor::has_come() const {
  pollfd waiting{fd_.fd(), POLLIN, 0};
  return poll(&waiting, 1, 0) > 0;
}

int SignalDescriptor::take() {
  signalfd_siginfo info;
  return read(fd_.fd(), &info, sizeof info) == static_cast<ssize_t>(sizeof info) ? static_cast<int>(info.ssi_signo) : 0;
}

std::string name_of_signal(int number) {
  const char* name = sigabbrev_np(number);
  return name ? std::string{"SIG"} + name : "signal " + std::to_string(number);
}

void end_by_signal(int number) {
  signal(number, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  raise(number);
  sigprocmask(SIG_UNBLOCK, &one, nullptr);
  _exit(128 + number);
}

}  // namespace critpipe::filters
