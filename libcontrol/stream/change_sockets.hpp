// Socket changes on bytes: what each image that has addresses becomes. Internal.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "critpipe/control/socket_changes.hpp"

namespace critpipe {

// The changes, and which of them have fitted.
class SocketChanges {
 public:
  explicit SocketChanges(std::vector<SocketChange> changes) : all_{std::move(changes)}, fitted_(all_.size()) {}

  // The other end that `end` becomes; null: none. `listens`: a TCP socket that listens has this as its own end.
  const SocketEnd* find(const SocketEnd& end, bool listens);
  // An address without a port, 4 or 16 bytes in network order, is changed in place.
  void change_address(std::span<char> address);
  Error missed() const;

 private:
  std::vector<SocketChange> all_;
  std::vector<bool> fitted_;
};

// The entry of an inet socket, an isk_entry.
std::string changed_socket(const Message& message, Bytes payload, SocketChanges& changes);
// What `ip address save` and `ip route save` write.
void change_netlink(std::string& image, SocketChanges& changes);
// "10.88.0.5" and "10.88.0.5/16" as strings of JSON.
void change_json(std::string& text, SocketChanges& changes);

}  // namespace critpipe
