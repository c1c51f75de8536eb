// What a container has changed in its root file system, as rootfs-diff.tar and deleted.files beside the images: the
// names and forms of podman's archives.
#pragma once

#include "critpipe/control/containers.hpp"

namespace critpipe::filters {

// Writes both into an open directory, if the engine knows what has changed. The container is frozen: what is read
// agrees with its memory. `stop_fd`: give up when it is readable. Reasons: usage, io_write.
[[nodiscard]] Error write_root_difference(const RunningContainer& container, int directory, int stop_fd);

}  // namespace critpipe::filters
