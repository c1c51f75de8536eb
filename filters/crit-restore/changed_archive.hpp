// An archive of podman's that asks for its addresses, or for others, made while it is read.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "critpipe/control/socket_changes.hpp"

namespace critpipe::filters {

// Calls `use` with a pipe that gives the archive, as a tar that is not compressed, in which the changes are made and
// the container asks for the addresses that it then had; without changes, for its hardware address, too. If it cannot
// be made, or nothing in it had to be changed, it ends in what is no tar, so that nobody takes it for whole. `name`: in
// messages. Returns what went wrong with the archive, or else what `use` says.
Error with_changed_archive(int archive_fd, const std::string& name, const std::vector<SocketChange>& changes,
                           const std::function<Error(int changed_fd)>& use);

}  // namespace critpipe::filters
