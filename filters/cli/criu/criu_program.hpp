// What the programs that talk to CRIU have in common: which CRIU, and its options.
#pragma once

#include "cli/filter.hpp"
#include "critpipe/control/criu.hpp"
#include "critpipe/control/socket_changes.hpp"

namespace critpipe::filters {

inline constexpr Option criu_row{0, "criu", "PROGRAM", "Run this CRIU (criu, as PATH finds it).", Option::files};
inline constexpr Option service_row =
    Option{0, "service", "SOCKET", "Talk to a CRIU that runs as a service behind this socket.", Option::files}.excludes(
        "criu");

// As --criu and --service say.
std::string criu_program(const Program& program);
std::unique_ptr<Criu> make_criu(const Program& program);

// A timeout in milliseconds; as for CRIU, 0 is no limit, which is -1 here.
int patience_of(std::uint64_t seconds);
int patience_of(Program& program);  // that of --timeout

// --set NAME=VALUE. Usage error for what no field can have, and for fields that critpipe sets itself.
void set_options(Program& program, CriuOptions& options);

// --log FILE and --config FILE: can they be written and read? What is wrong is reported before anything is done. CRIU
// says nothing of a configuration file that is not there.
void check_files(Program& program, const CriuOptions& options);

inline constexpr Option map_address_row{
    0, "map-address", "OLD=NEW",
    "Restore sockets with address OLD as ones with NEW; OLD:PORT=NEW:PORT with that port, too. May be repeated."};
// As --map-address says.
std::vector<SocketChange> socket_changes(Program& program);

// A private directory that goes with the program, however that ends (KILL cannot be helped). What waits for signals
// itself makes its SignalDescriptor first.
class WorkDirectory {
 public:
  explicit WorkDirectory(Error& error);  // reasons: io_open
  explicit operator bool() const { return static_cast<bool>(directory_); }
  const PrivateDirectory& operator*() const { return directory_; }
  const PrivateDirectory* operator->() const { return &directory_; }
  void remove() { directory_.remove(); }

 private:
  std::unique_ptr<SignalCleanup> cleanup_;  // of what is gone before this is
  PrivateDirectory directory_;
};

// Hands the signals that end a program (INT, TERM, HUP, QUIT) to a descriptor, for as long as the object lives: what
// runs can be ended in order. Those that are ignored (nohup) stay ignored. A signal that has come and was not taken is
// dropped with the object. Requires: no other thread runs yet, not even that of SignalCleanup; those to come leave the
// signals alone.
class SignalDescriptor {
 public:
  SignalDescriptor();
  ~SignalDescriptor();
  SignalDescriptor(const SignalDescriptor&) = delete;
  SignalDescriptor& operator=(const SignalDescriptor&) = delete;
  int fd() const { return fd_.fd(); }
  bool has_come() const;
  int take();  // the number of a signal that has come; 0: none has

 private:
  OwnedDescriptor fd_;
  struct Masks;
  std::unique_ptr<Masks> masks_;
};

std::string name_of_signal(int number);  // "SIGTERM"

// Ends the program as that signal would have. Requires: nothing is left to be removed.
[[noreturn]] void end_by_signal(int number);

}  // namespace critpipe::filters
