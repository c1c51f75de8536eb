// Files of each type as people read them, one row a type. Internal.
#pragma once

#include <string>
#include <string_view>

#include "report/explorers.hpp"

namespace critpipe {

struct FileDetail {
  std::string_view type;  // in fd_types
  // {field} a number or text of the message, {field:x} in hex, {*} what `part` gives.
  std::string_view text;
  std::string (*part)(const Exploring& exploring, const File& file);
};

// Null: such a file is printed as crit prints it.
const FileDetail* detail_of(std::uint32_t type);

}  // namespace critpipe
