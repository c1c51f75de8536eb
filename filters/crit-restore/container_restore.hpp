// crit-restore --container: a directory of images back into the container that they come from, by its engine; a
// checkpoint of docker or an archive of podman into a new container; or, of docker's, into one by CRIU alone.
#pragma once

#include <optional>
#include <span>

#include "cli/criu/criu_job.hpp"
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
    Option{0, "via", "WAY",
           "Have the engine restore it (engine), or CRIU alone into a new one of docker's kind (criu)."}
        .needs("container")
        .one_of("engine criu"),
    Option{0, "dir", "DIR", "With --via criu, keep the container's files in DIR/NAME (/var/lib/critpipe).",
           Option::directories}
        .needs("via"),
    Option{0, "publish", "PORTS", "Map a port of the new container, such as 8080:80; may be repeated."}.needs(
        "container"),
    Option{0, "tcp", nullptr, "The same as --tcp-established."}.excludes("tcp-close"),
};

// Requires: the images are trusted; what they say will run. None: the input is an archive, which may be open already.
// `named`: options that are CRIU's.
int restore_container(Program& program, std::span<const NamedOption> named, const std::optional<Directory>& images,
                      const std::vector<std::string>& inputs, OwnedDescriptor archive);

}  // namespace critpipe::filters
