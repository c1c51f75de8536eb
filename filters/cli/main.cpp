// The main() of every filter.
#include <fcntl.h>

#include <csignal>
#include <exception>
#include <new>
#include <system_error>

#include "cli/filter.hpp"
#include "cli/command_line.hpp"

namespace {

void report_failure(critpipe::filters::Program& program, const char* what) {
  critpipe::Error error{critpipe::Reason::usage};
  error.name = what;
  program.report(error);
}

// One that is closed would be the number of the next file, which would then be read or written in its place.
void keep_standard_descriptors() {
  for (int fd = 0; fd < 3; ++fd)
    if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace critpipe;
  using namespace critpipe::filters;
  keep_standard_descriptors();
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is then an error of write()
  Program program = parse_command_line(filter, argc, argv);
  try {
    return filter.run(program);
  } catch (const std::bad_alloc&) {
    report_failure(program, "out of memory");
  } catch (const std::system_error& failure) {
    report_failure(program, failure.what());  // no more threads
  }
  return program.exit_code();
}
