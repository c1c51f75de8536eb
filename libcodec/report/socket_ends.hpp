// Which sockets of a checkpoint are connected with each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "critpipe/checkpoint.hpp"

namespace critpipe {

// The caller numbers the sockets. Unix sockets know the inode of their peer. Of inet sockets, both ends have the same
// addresses the other way round; networks of several namespaces may use the same ones, so the only socket with them in
// the namespace is taken, or else the only one of all.
class SocketEnds {
 public:
  void add(const File& file, const Socket& socket, std::size_t number);
  // The number of the socket at the other end.
  std::optional<std::size_t> peer_of(const File& file, const Socket& socket) const;

 private:
  struct Candidate {
    std::size_t number;
    bool is_only = true;
  };
  using Candidates = std::unordered_map<std::string, Candidate>;
  static void add(Candidates& candidates, std::string addresses, std::size_t number);
  static std::optional<std::size_t> only(const Candidates& candidates, const std::string& addresses);

  std::unordered_map<std::uint32_t, std::size_t> by_inode_;  // of several alike, the first counts
  Candidates in_namespace_, anywhere_;
};

}  // namespace critpipe
