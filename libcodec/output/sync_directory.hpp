// Names on disk. Internal.
#pragma once

#include <string>

namespace critpipe {

// Waits until the names in a directory are on disk. False: errno says why not.
bool sync_directory(const std::string& path);

}  // namespace critpipe
