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

// The files of an archive, `name` in messages, into an empty directory, with these changes. Reasons: usage, io_write;
// those of reading.
Error put_files(const std::string& input, const std::string& name, const std::vector<SocketChange>& changes,
                const std::string& directory);

// The engine's restore of the input, `name` in messages, into a new container that is called as --container says.
// Reports what is against it; false: then there is something. `dumped` must outlive `copy`.
bool plan_copy(Program& program, const std::string& input, const std::string& name, const Dumped& dumped,
               EngineCopy& copy);

}  // namespace critpipe::filters
