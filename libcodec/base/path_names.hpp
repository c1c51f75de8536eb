// Names of members and inputs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace critpipe {

// Why it does not lead to a file below a directory; null if it may.
const char* fault_of_path(std::string_view name);
// Why no archive or stream may give a file this name; null if it may. Control characters are refused, too.
const char* fault_of_name(std::string_view name);

// By bytes, but numbers by their value: core-9.img before core-10.img.
bool natural_less(const std::string& left, const std::string& right);

std::string_view last_part(std::string_view path);

}  // namespace critpipe
