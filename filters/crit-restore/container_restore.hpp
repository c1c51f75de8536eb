// crit-restore --container: a directory of images back into the container that they come from, by its engine; a
// checkpoint of docker or an archive of podman into a new container.
#pragma once

#include <optional>

#include "cli/filter.hpp"
#include "critpipe/control/process.hpp"
#include "critpipe/input_file.hpp"

namespace critpipe::filters {

inline constexpr Option container_options_rows[] = {
    Option{0, "container", "NAME",
           "Restore by its engine into this container, which does not run, or a new one: of docker, or an archive of "
           "podman."}
        .excludes("wait lazy spool shell-job dry-run check tcp-close root external inherit"),
    Option{0, "engine", "ENGINE", "The engine that has the container: docker, podman, containerd, lxc, runc or crun."}
        .needs("container")
        .one_of("docker podman containerd lxc runc crun"),
    Option{0, "publish", "PORTS", "Map a port of the new container, such as 8080:80; may be repeated."}.needs(
        "container"),
    Option{0, "tcp", nullptr, "The same as --tcp-established."}.excludes("tcp-close"),
};

// Requires: the images are trusted; what they say will run. None: the input is an archive, which may be open already.
int restore_container(Program& program, const std::optional<Directory>& images, const std::vector<std::string>& inputs,
                      OwnedDescriptor archive);

}  // namespace critpipe::filters
