// crit-restore --container: a directory of images back into the container that they come from, by its engine.
#pragma once

#include <string>
#include <vector>

#include "cli/filter.hpp"

namespace critpipe::filters {

inline constexpr Option container_options_rows[] = {
    Option{0, "container", "NAME", "Restore into this container, which does not run, by its engine."}.excludes(
        "wait spool shell-job dry-run check tcp-close root external inherit"),
    Option{0, "engine", "ENGINE", "The container is one of this engine."}
        .needs("container")
        .one_of("docker podman containerd lxc runc crun"),
    Option{0, "tcp", nullptr, "The same as --tcp-established."}.excludes("tcp-close"),
};

// `input` is trusted: what the images say will run.
int restore_container(Program& program, const std::vector<std::string>& inputs);

}  // namespace critpipe::filters
