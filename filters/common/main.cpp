// The main() of every filter.
#include <csignal>
#include <exception>
#include <new>

#include "common/filter.hpp"
#include "common/options.hpp"

int main(int argc, char** argv) {
  using namespace critpipe;
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
