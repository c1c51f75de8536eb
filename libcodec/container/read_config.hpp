// One file of a container's configuration, read. Internal.
#pragma once

#include <string_view>

#include "critpipe/container.hpp"

namespace critpipe {

// Fills in what the text says. False: it is not JSON, and `why` says how.
using ReadConfig = bool(std::string_view text, Container& container, const char*& why);
ReadConfig read_config_dump, read_runtime_spec, read_cri_status, read_network_status, read_docker_config,
    read_docker_host_config, read_image_annotations;
// The log of CRIU: its version and the machine.
bool read_dump_log(std::string_view text, Container& container, const char*& why);

}  // namespace critpipe
