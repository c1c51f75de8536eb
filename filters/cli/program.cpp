// Messages, exit codes and where output goes.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/filter.hpp"
#include "cli/numbers.hpp"
#include "critpipe/schema.hpp"

namespace critpipe::filters {

namespace {

// A write of this thread to a pipe that nobody reads is an error and no signal: what is incomplete is still removed.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoPipeSignal() {
    const timespec now = {};
    if (sigismember(&before_, SIGPIPE) == 0)
      while (sigtimedwait(&pipe_, nullptr, &now) == SIGPIPE) {
      }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t pipe_, before_;
};

void say(std::string line) {
  const NoPipeSignal none;
  line += '\n';
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t done = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (done <= 0 && errno != EINTR) return;
    if (done > 0) rest.remove_prefix(static_cast<std::size_t>(done));
  }
}

// By its name: entries without a queue, a buffer, contents of files or registers.
bool holds_no_memory(const std::string& path) {
  const Kind* kind = kind_of_name(path);
  return kind && !kind->is_raw() && !kind->has_extra() && kind->name != "CORE";
}

// Has somebody opened it for us to write to, as a shell has what /dev/stdout and /dev/fd/N name?
bool is_open_already(const struct stat& file) {
  constexpr int most = 256;
  for (int fd = 0; fd < most; ++fd) {
    struct stat open;
    const int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fstat(fd, &open) == 0 && open.st_dev == file.st_dev &&
        open.st_ino == file.st_ino)
      return true;
  }
  return false;
}

// What others may read is not for memory, which holds secrets.
void refuse_readable(Program& program, const std::string& path) {
  struct stat status;
  const bool is_file = stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  if (!is_file || (status.st_mode & (S_IRGRP | S_IROTH)) == 0 || holds_no_memory(path)) return;
  if (is_open_already(status)) return;
  Error error{Reason::io_write, path};
  error.name = "others may read this file, and what goes into it may be secret";
  const auto is_force = [](const Option& option) { return std::string_view{option.name} == "force"; };
  if (std::ranges::any_of(filter.options, [&](Options group) { return std::ranges::any_of(group, is_force); }))
    error.name += " (-f writes it all the same)";
  program.report(error);
  SignalCleanup::exit(program.exit_code());
}

}  // namespace

bool Program::has(std::string_view option) const { return value(option).has_value(); }

std::optional<std::string> Program::value(std::string_view option) const {
  std::optional<std::string> last;
  for (const Given& given : given_)
    if (given.name == option) last = given.value;
  return last;
}

std::vector<std::string> Program::values(std::string_view option) const {
  std::vector<std::string> all;
  for (const Given& given : given_)
    if (given.name == option) all.push_back(given.value);
  return all;
}

std::uint64_t Program::number(std::string_view option, std::uint64_t otherwise) {
  const auto text = value(option);
  if (!text) return otherwise;
  const auto number = parse_number(*text, Numeral::size);
  if (!number) usage("--" + std::string{option} + " takes a number such as 4096, 0x1000, 64K or 1G, not " + *text);
  return *number;
}

std::string Program::take_argument(const char* missing) {
  if (arguments_.empty()) usage(missing);
  std::string first = std::move(arguments_.front());
  arguments_.erase(arguments_.begin());
  return first;
}

std::vector<std::string> Program::inputs() {
  struct stat input {};
  if (std::ranges::count(arguments_, "-") > 1 && (fstat(STDIN_FILENO, &input) != 0 || !S_ISREG(input.st_mode)))
    usage("- is standard input, which can be read once");
  if (std::ranges::count(arguments_, "") > 0) usage("the name of an input is empty");
  if (!arguments_.empty()) return arguments_;
  if (isatty(STDIN_FILENO)) usage("no input: name an image, a directory or an archive, or pipe one in");
  return {"-"};
}

void Program::report(const Error& error) {
  failed_ = true;
  say(error_words_ + ": " + to_string(error));
}

void Program::note(std::string_view message) { say(name_ + ": " + std::string{message}); }

void Program::usage(const std::string& message) {
  say(name_ + ": " + visible(message) + "\nTry: " + help_of_ + " --help");
  SignalCleanup::exit(error_code_);
}

void Program::refuse(std::initializer_list<const char*> options, const std::string& why) {
  for (const char* option : options)
    if (has(option)) usage(std::string{"--"} + option + " " + why);
}

int Program::finish(Output& output) {
  if (output.flush() == Step::stop && output.error()) report(output.error());
  return exit_code();
}

Destination::Destination(Program& program, Content content, const char* option) : program_{program}, content_{content} {
  if (const auto path = program.value(option); path && *path != "-") {
    const bool holds_memory = content == Content::images || content == Content::memory_text;
    if (holds_memory && !program.has("force")) refuse_readable(program, *path);
    const mode_t mask = umask(0);
    umask(mask);
    const mode_t mode = holds_memory ? 0600 : 0666 & ~mask;
    cleanup_ = std::make_unique<SignalCleanup>([&] {
      file_ = std::make_unique<AtomicFile>(*path, AtomicFile::Options{mode, sync_of(program)});
      return SignalCleanup::Made{file_->temporary()};
    });
    if (!file_->error()) return;
    program.report(file_->error());
    SignalCleanup::exit(program.exit_code());
  }
  const bool is_binary = content == Content::binary || content == Content::images;
  if (is_binary && isatty(STDOUT_FILENO))
    program.usage("this is binary and standard output is a terminal: use a pipe, > FILE or -o FILE");
  standard_output_ = std::make_unique<FileOutput>(STDOUT_FILENO, "standard output");
}

Destination::~Destination() = default;

int Destination::commit(After after) {
  program_.finish(output());
  // What other inputs gave is of use, whatever is wrong with one.
  const bool any_is_of_use = after == After::any || (content_ == Content::text && program_.arguments().size() > 1);
  const bool is_written = output().step() == Step::go && (any_is_of_use || !program_.failed());
  if (!file_ || !is_written) return program_.exit_code();
  Error error = file_->finish();
  if (!error) cleanup_->commit([&] { error = file_->commit(); });
  if (error) program_.report(error);
  return program_.exit_code();
}

Sync sync_of(const Program& program) { return program.has("no-sync") ? Sync::none : Sync::disk; }

}  // namespace critpipe::filters
