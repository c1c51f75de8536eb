// The main() of every filter.
#include <fcntl.h>
#include <malloc.h>

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

// Large blocks go back to the system when they are freed. By default, freeing the first one raises glibc's thresholds:
// blocks up to its size then stay in the heap of each thread.
void give_large_blocks_back() {
#ifdef __GLIBC__
  constexpr int large = 1 << 20;
  (void)mallopt(M_MMAP_THRESHOLD, large);
  (void)mallopt(M_TRIM_THRESHOLD, large);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  using namespace critpipe;
  using namespace critpipe::filters;
  keep_standard_descriptors();
  give_large_blocks_back();
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
