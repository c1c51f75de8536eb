// Removes what is incomplete when a signal ends the program.
//
//     SignalCleanup cleanup{[&] { return make_file(); }};  // makes ".incomplete-1f"; from here on a signal removes it,
//                                                          // then ends the program as usual
//     ...
//     cleanup.commit([&] { rename(...); });        // a signal waits for it; afterwards nothing is removed
//
// The signals are INT, TERM, HUP, QUIT, XCPU, USR1, USR2, those of timers, and PIPE if somebody sends it; those that
// are ignored (nohup) stay ignored, and those that are blocked when the first object is made are left to who has
// blocked them. Where no thread can be started, a signal removes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace critpipe::filters {

class SignalCleanup {
 public:
  enum class Around : std::uint8_t { keep, if_empty };
  // A file, or a directory with all that is in it; an empty path is none. `around` says whether the directory around it
  // is removed too when it is empty then.
  struct Made {
    std::string path;
    Around around = Around::keep;
  };
  // A signal waits until it is made.
  explicit SignalCleanup(const std::function<Made()>& make);
  ~SignalCleanup();
  SignalCleanup(const SignalCleanup&) = delete;
  SignalCleanup& operator=(const SignalCleanup&) = delete;

  void commit(const std::function<void()>& finish);
  // Removes all that is incomplete and ends the program.
  [[noreturn]] static void exit(int code);

 private:
  std::string path_;
};

}  // namespace critpipe::filters
