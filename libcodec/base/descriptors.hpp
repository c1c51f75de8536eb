// Descriptors of files: opened below a directory, closed without touching errno.
#pragma once

#include <string>
#include <sys/types.h>

#include "critpipe/error.hpp"

namespace critpipe {

// Opens a path below an open directory, close-on-exec and without following a link in any part of it. The path leads
// down: see fault_of_path(). -1: errno says why, ELOOP for a link.
int open_beneath(int directory, const std::string& path, int flags, mode_t mode = 0);

// Why a file cannot be opened: bad_member where it is a socket, else io_open.
Error open_fault(const std::string& place, int number);
constexpr const char* no_device = "socket, or a device that is not there";  // what ENXIO says

// For a failure that is reported afterwards. Does nothing for a negative one.
void close_keeping_errno(int fd);

}  // namespace critpipe
