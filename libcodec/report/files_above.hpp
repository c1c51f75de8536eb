// Configuration that engines keep above the directory of images. Internal.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "critpipe/input_file.hpp"

namespace critpipe {

// Calls `use` for each file there that belongs to a container whose images are in that directory.
void each_file_above(const std::string& directory,
                     const std::function<void(const InputFile&, std::string_view name, std::string_view text)>& use);

}  // namespace critpipe
