// crit-restore --container --via criu: a container of docker's restored by CRIU alone, without docker.
#pragma once

#include <span>
#include <string>

#include "cli/criu/criu_job.hpp"
#include "crit-restore/container_copy.hpp"

namespace critpipe::filters {

// From a directory of images, or an archive in a file, `name` in messages. `named`: options that are CRIU's.
int restore_directly(Program& program, std::span<const NamedOption> named, const std::string& input,
                     const std::string& name, Dumped& dumped);

}  // namespace critpipe::filters
