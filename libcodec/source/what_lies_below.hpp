// What stands in a directory that holds no images itself: checkpoints a level or more below, archives.
#pragma once

#include <string>

#include "critpipe/input_file.hpp"

namespace critpipe {

// For a message: "checkpoint 3; pre-dumps 1, 2; archive a.tar: name one of them", or "it holds notes, a/text".
std::string what_lies_below(const Directory& directory);

}  // namespace critpipe
