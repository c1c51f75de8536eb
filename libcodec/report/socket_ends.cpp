#include "report/socket_ends.hpp"

#include <string_view>

#include "model/file_types.hpp"
#include "model/model.hpp"

namespace critpipe {

namespace {

// An IPv6 socket may be connected with an IPv4 one.
std::string_view plain(std::string_view address) {
  constexpr std::string_view mapped = "::ffff:";
  if (address.starts_with(mapped) && address.find('.') != address.npos) address.remove_prefix(mapped.size());
  return address;
}

// No connection leads from there into another namespace.
bool is_loopback(std::string_view address) { return address == "::1" || plain(address).starts_with("127."); }

// What one end of a connection calls it; where it is not connected, empty.
std::string connection(const Socket& socket, bool of_peer) {
  if (socket.destination_port == 0) return {};
  const auto end_text = [](std::string_view address, std::uint32_t port) {
    return std::string{plain(address)} + " " + std::to_string(port);
  };
  const std::string source = end_text(socket.source, socket.source_port);
  const std::string destination = end_text(socket.destination, socket.destination_port);
  const std::string protocol = std::to_string(socket.protocol) + " ";
  return protocol + (of_peer ? destination + " " + source : source + " " + destination);
}

std::string in_namespace_of(const File& file, const std::string& addresses) {
  return std::to_string(number_of(file, "ns_id")) + " " + addresses;
}

}  // namespace

void SocketEnds::add(Candidates& candidates, std::string addresses, std::size_t number) {
  const auto [found, added] = candidates.try_emplace(std::move(addresses), Candidate{number});
  if (!added) found->second.is_only = false;
}

std::optional<std::size_t> SocketEnds::only(const Candidates& candidates, const std::string& addresses) {
  const auto found = candidates.find(addresses);
  return found != candidates.end() && found->second.is_only ? std::optional{found->second.number} : std::nullopt;
}

void SocketEnds::add(const File& file, const Socket& socket, std::size_t number) {
  if (file.type == type_unix) by_inode_.try_emplace(socket.inode, number);
  if (file.type != type_inet) return;
  std::string addresses = connection(socket, false);
  if (addresses.empty()) return;
  add(in_namespace_, in_namespace_of(file, addresses), number);
  add(anywhere_, std::move(addresses), number);
}

std::optional<std::size_t> SocketEnds::peer_of(const File& file, const Socket& socket) const {
  if (file.type == type_unix && socket.peer != 0) {
    const auto found = by_inode_.find(socket.peer);
    return found == by_inode_.end() ? std::nullopt : std::optional{found->second};
  }
  const std::string addresses = file.type == type_inet ? connection(socket, true) : std::string{};
  if (addresses.empty()) return std::nullopt;
  if (const auto near = only(in_namespace_, in_namespace_of(file, addresses))) return near;
  const bool stays = is_loopback(socket.source) || is_loopback(socket.destination);
  return stays ? std::nullopt : only(anywhere_, addresses);
}

}  // namespace critpipe
