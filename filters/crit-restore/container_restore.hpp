// crit-restore --container: a directory of images back into the container that they come from, by its engine.
#pragma once

#include <optional>

#include "cli/filter.hpp"
#include "critpipe/input_file.hpp"

namespace critpipe::filters {

inline constexpr Option container_options_rows[] = {
    Option{0, "container", "NAME", "Restore into this container, which does not run, by its engine."}.excludes(
        "wait lazy spool shell-job dry-run check tcp-close root external inherit"),
    Option{0, "engine", "ENGINE", "The container is one of this engine."}
        .needs("container")
        .one_of("docker podman containerd lxc runc crun"),
    Option{0, "tcp", nullptr, "The same as --tcp-established."}.excludes("tcp-close"),
};

// Requires: the images are trusted; what they say will run. None: they are in an archive, a stream; usage error.
int restore_container(Program& program, const std::optional<Directory>& images);

}  // namespace critpipe::filters
