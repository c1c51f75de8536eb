// The root file system of a container that does not run: what differs from its image is put there. Internal.
#pragma once

#include <string>

#include "critpipe/control/containers.hpp"
#include "critpipe/control/process.hpp"

namespace critpipe {

// Seen by us alone, for as long as the object lives: nothing is left mounted.
class RootFiles {
 public:
  // An overlay of these directories, colons between those of `lower`. Reasons: io_open.
  [[nodiscard]] Error open_overlay(const std::string& lower, const std::string& upper, const std::string& work);
  // A plain directory. Reasons: io_open.
  [[nodiscard]] Error open(const std::string& directory);

  // Unpacks a tar over it. Reasons: usage.
  [[nodiscard]] Error unpack(int archive_fd, int stop_fd) const;
  // Copies what has changed in another one. Reasons: usage.
  [[nodiscard]] Error copy(const RootFiles& other, const std::vector<std::string>& changed, int stop_fd) const;
  // Removes what is no more, without following links. Reasons: io_write.
  [[nodiscard]] Error remove(const std::vector<std::string>& paths) const;

 private:
  OwnedDescriptor directory_;
};

}  // namespace critpipe
