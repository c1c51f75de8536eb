// Which sockets of a checkpoint are connected with each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "critpipe/task.hpp"

namespace critpipe {

// The caller numbers the sockets. Unix sockets know the inode of their peer; of inet sockets, both ends have the same
// addresses the other way round.
class SocketEnds {
 public:
  void add(std::uint32_t type, const Socket& socket, std::size_t number);  // of several alike, the first counts
  // The number of the socket at the other end.
  std::optional<std::size_t> peer_of(std::uint32_t type, const Socket& socket) const;

 private:
  std::unordered_map<std::uint32_t, std::size_t> by_inode_;
  std::unordered_map<std::string, std::size_t> by_addresses_;
};

}  // namespace critpipe
