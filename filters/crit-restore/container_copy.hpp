// A checkpoint of a container of docker's becomes a new container.
#pragma once

#include <string>

#include "cli/filter.hpp"
#include "critpipe/control/containers.hpp"

namespace critpipe::filters {

// Which container a checkpoint is of.
struct Dumped {
  RunningContainer container;   // engine: empty if nothing says it
  bool has_difference = false;  // of its root file system: rootfs-diff.tar
  bool has_parent = false;
  std::string runtime;  // what config.dump of an archive says, "runc"; it is podman's then, and nothing else is known
};
// Reads a directory of images, or an archive in a file.
Dumped look_at_dumped(const std::string& input);

// The engine's restore of the input, `name` in messages, into a new container that is called as --container says.
// Reports what is against it; false: then there is something.
bool plan_copy(Program& program, const std::string& input, const std::string& name, const Dumped& dumped,
               EngineCopy& copy);

}  // namespace critpipe::filters
