// Inputs that end early: what is missing in their sets may have stood behind the end. Internal.
#pragma once

#include <set>
#include <string>

#include "critpipe/source.hpp"

namespace critpipe {

class CutInputs {
 public:
  // Is it an error behind which nothing follows of an archive or a stream?
  static bool ends_input(const Error& error);
  // Takes note of an error that ends an archive or a stream.
  void note(const Error& error);
  // May images of the set have stood behind the end? Those of a directory are all there.
  bool may_lack(const SetId& id, bool in_directory) const {
    return !in_directory && (all_ || inputs_.contains(id.checkpoint));
  }

 private:
  std::set<std::string, std::less<>> inputs_;
  bool all_ = false;
};

}  // namespace critpipe
