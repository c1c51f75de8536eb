// Where checkpoints of containers are put, and what is made of them.
#pragma once

#include <string>
#include <string_view>

#include "critpipe/error.hpp"

namespace critpipe::filters {

inline constexpr const char* default_container_place = "/var/lib/critpipe";

// What docker allows in a name of a checkpoint, and what is safe in a name of a file.
bool is_container_name(std::string_view text);
// Makes the directory, if it is not there. Images hold memory: the default place is refused if others could have
// prepared it. Reasons: io_write, io_open, usage.
[[nodiscard]] Error make_container_place(const std::string& path);

}  // namespace critpipe::filters
