// CRIU's command line, with an action script through which its events reach us as notifications do by RPC.
#pragma once

#include <string>
#include <vector>

#include "critpipe/control/jobs.hpp"

namespace critpipe {

class ScriptedCriu {
 public:
  // `words`: the command and its options. Reasons: no_criu, io_open.
  [[nodiscard]] Error start(const CriuSetup& setup, std::vector<std::string> words);

  Child& child() { return child_; }
  int events_fd() const { return events_.fd(); }  // readable: next() has something
  // Does not wait long. False: there is none yet.
  bool next(CriuNotification& notification);
  void reply(bool success);
  bool is_decided() const { return is_decided_; }  // what becomes of the tree: it is too late to stop
  bool restores() const { return restores_; }      // otherwise it dumps
  void hang_up();                                  // every event from now on fails
  // Why it ended as it did; none: well. Requires: it has ended.
  Error end(int status, int log_fd) const;

 private:
  Child child_;
  // Pipes and a script in memory, which CRIU's script finds in our /proc: when we are gone, so are they.
  OwnedDescriptor events_, events_end_, replies_, replies_end_, script_;
  OwnedDescriptor printed_;
  std::string waiting_;  // of a line
  std::string name_;
  CriuEvent event_ = CriuEvent::unknown;
  bool restores_ = false, is_decided_ = false;
};

}  // namespace critpipe
