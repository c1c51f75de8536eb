// Messages, exit codes and where output goes.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/filter.hpp"
#include "cli/numbers.hpp"

namespace critpipe::filters {

namespace {

void say(std::string line) {
  line += '\n';
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t done = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (done <= 0 && errno != EINTR) return;
    if (done > 0) rest.remove_prefix(static_cast<std::size_t>(done));
  }
}

[[noreturn]] void cannot_write(Program& program, const std::string& path) {
  program.report(system_error(Reason::io_write, path, errno));
  std::exit(exit_error);
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
  if (!arguments_.empty()) return arguments_;
  if (isatty(STDIN_FILENO)) usage("no input: name an image, a directory or an archive, or pipe one in");
  return {"-"};
}

void Program::report(const Error& error) {
  failed_ = true;
  say(name_ + ": " + to_string(error));
}

void Program::note(std::string_view message) { say(name_ + ": " + std::string{message}); }

void Program::usage(const std::string& message) {
  say(name_ + ": " + visible(message) + "\nTry: " + row_.name + " --help");
  std::exit(exit_error);
}

void Program::refuse(std::initializer_list<const char*> options, const std::string& why) {
  for (const char* option : options)
    if (has(option)) usage(std::string{"--"} + option + " " + why);
}

int Program::finish(Output& output) {
  if (output.flush() == Step::stop && output.error()) report(output.error());
  return exit_code();
}

Destination::Destination(Program& program, Content content, const char* option) : program_{program} {
  if (const auto path = program.value(option); path && *path != "-") {
    path_ = *path;
    struct stat status;
    if (stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
      // A device or a named pipe is written to, not replaced.
      const int fd = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
      if (fd < 0) cannot_write(program, path_);
      output_ = std::make_unique<FileOutput>(fd, path_);
      return;
    }
    temporary_ = path_ + ".XXXXXX";
    const int fd = mkostemp(temporary_.data(), O_CLOEXEC);
    if (fd < 0) cannot_write(program, path_);
    leftover_ = std::make_unique<Leftover>(temporary_);
    const mode_t mask = umask(0);
    umask(mask);
    if (stat(path_.c_str(), &status) == 0) fchmod(fd, status.st_mode & 07777);
    else fchmod(fd, 0666 & ~mask);
    output_ = std::make_unique<FileOutput>(fd, path_);
    return;
  }
  if (content == Content::binary && isatty(STDOUT_FILENO))
    program.usage("this is binary and standard output is a terminal: use a pipe, > FILE or -o FILE");
  output_ = std::make_unique<FileOutput>(STDOUT_FILENO, "standard output");
}

Destination::~Destination() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

int Destination::commit(bool also_in_part) {
  program_.finish(*output_);
  const bool is_written = output_->step() == Step::go && (also_in_part || !program_.failed());
  if (temporary_.empty() || !is_written) return program_.exit_code();
  bool done = close(output_->fd()) == 0;
  if (done) leftover_->keep([&] { done = rename(temporary_.c_str(), path_.c_str()) == 0; });
  if (done) temporary_.clear();
  else program_.report(system_error(Reason::io_write, path_, errno));
  return program_.exit_code();
}

}  // namespace critpipe::filters
