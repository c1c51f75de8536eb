// The sockets of a network namespace, as the kernel tells of them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "critpipe/control/process.hpp"

namespace critpipe {

struct UnixSocket {
  std::uint64_t inode = 0, peer = 0;        // peer 0: none that has an inode
  int type = 0, state = 0;                  // SOCK_STREAM, ...; as of TCP
  std::string name = {};                    // begins with a zero byte if it is abstract
  std::vector<std::uint64_t> waiting = {};  // of a listener: who has connected and was not accepted
  std::uint32_t sent = 0;                   // bytes that its peer has not read
};

// All unix sockets in the network namespace of a process, by inode. Empty: the kernel does not tell.
std::map<std::uint64_t, UnixSocket> unix_sockets_of(pid_t pid);

struct TcpSocket {
  std::uint64_t inode = 0;
  int state = 0;              // as the kernel numbers them: 1 established, 10 listens
  std::uint64_t waiting = 0;  // bytes, or of a listener: connections
  std::string local, remote;  // "127.0.0.1:80"
};
// All TCP sockets in the network namespace of a process.
std::vector<TcpSocket> tcp_sockets_of(pid_t pid);

}  // namespace critpipe
