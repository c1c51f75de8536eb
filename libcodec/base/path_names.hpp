// Names of members and inputs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace critpipe {

// Why it cannot be the name of a file below a directory; null if it can.
const char* fault_of_name(std::string_view name);

// By bytes, but numbers by their value: core-9.img before core-10.img.
bool natural_less(const std::string& left, const std::string& right);

std::string_view last_part(std::string_view path);

}  // namespace critpipe
