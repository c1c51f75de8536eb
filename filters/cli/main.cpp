// The main() of every filter.
#include <csignal>
#include <exception>
#include <new>

#include "cli/filter.hpp"
#include "cli/command_line.hpp"

int main(int argc, char** argv) {
  using namespace critpipe;
  using namespace critpipe::filters;
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is then an error of write()
  Program program = parse_command_line(filter, argc, argv);
  try {
    return filter.run(program);
  } catch (const std::bad_alloc&) {
    Error error{Reason::usage};
    error.name = "out of memory";
    program.report(error);
  }
  return exit_error;
}
