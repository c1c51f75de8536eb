// Descriptors of files: opened below a directory, closed without touching errno.
#pragma once

#include <string>
#include <sys/types.h>

namespace critpipe {

// Opens a path below an open directory, close-on-exec and without following a link in any part of it. The path leads
// down: see fault_of_path(). -1: errno says why, ELOOP for a link.
int open_beneath(int directory, const std::string& path, int flags, mode_t mode = 0);

// For a failure that is reported afterwards. Does nothing for a negative one.
void close_keeping_errno(int fd);

}  // namespace critpipe
