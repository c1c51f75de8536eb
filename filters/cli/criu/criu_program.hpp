// What the programs that talk to CRIU have in common: which CRIU, and its options.
#pragma once

#include "cli/filter.hpp"
#include "critpipe/control/criu.hpp"

namespace critpipe::filters {

inline constexpr Option criu_row{0, "criu", "PROGRAM", "Run this CRIU (criu, as PATH finds it).", Option::files};
inline constexpr Option service_row =
    Option{0, "service", "SOCKET", "Talk to a CRIU that runs as a service behind this socket.", Option::files}.excludes(
        "criu");

// As --criu and --service say.
std::string criu_program(const Program& program);
std::unique_ptr<Criu> make_criu(const Program& program);

// Hands the signals that end a program (INT, TERM, HUP, QUIT) to a descriptor, for as long as the object lives: what
// runs can be ended in order. Those that are ignored (nohup) stay ignored.
class SignalDescriptor {
 public:
  SignalDescriptor();
  ~SignalDescriptor();
  SignalDescriptor(const SignalDescriptor&) = delete;
  SignalDescriptor& operator=(const SignalDescriptor&) = delete;
  int fd() const { return fd_.fd(); }
  int take();  // the number of a signal that has come; 0: none has

 private:
  OwnedDescriptor fd_;
  struct Masks;
  std::unique_ptr<Masks> masks_;
};

// Ends the program as that signal would have. Requires: nothing is left to be removed.
[[noreturn]] void end_by_signal(int number);

}  // namespace critpipe::filters
