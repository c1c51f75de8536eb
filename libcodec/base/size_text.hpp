// Numbers of bytes as the programs write them whose output ours has to equal; size_text of base.hpp is our own.
#pragma once

#include <cstdint>
#include <string>

namespace critpipe {

std::string crit_size_text(std::uint64_t bytes);  // Python crit: "1.5MB", a decimal only where the number is not whole
std::string gocrit_size_text(std::uint64_t bytes);  // go-criu: "1.5 MB", bytes without a decimal

}  // namespace critpipe
