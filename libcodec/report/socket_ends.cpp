#include "report/socket_ends.hpp"

#include <string_view>

#include "model/file_types.hpp"

namespace critpipe {

namespace {

// An IPv6 socket may be connected with an IPv4 one.
std::string end_text(std::string_view address, std::uint32_t port) {
  constexpr std::string_view mapped = "::ffff:";
  if (address.starts_with(mapped) && address.find('.') != address.npos) address.remove_prefix(mapped.size());
  return std::string{address} + " " + std::to_string(port);
}

// What one end of a connection calls it; where it is not connected, empty.
std::string connection(const Socket& socket, bool of_peer) {
  if (socket.destination_port == 0) return {};
  const std::string source = end_text(socket.source, socket.source_port);
  const std::string destination = end_text(socket.destination, socket.destination_port);
  const std::string protocol = std::to_string(socket.protocol) + " ";
  return protocol + (of_peer ? destination + " " + source : source + " " + destination);
}

template <typename Map, typename Key>
std::optional<std::size_t> number_at(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::nullopt : std::optional{found->second};
}

}  // namespace

void SocketEnds::add(std::uint32_t type, const Socket& socket, std::size_t number) {
  if (type == type_unix) by_inode_.try_emplace(socket.inode, number);
  if (type != type_inet) return;
  if (std::string addresses = connection(socket, false); !addresses.empty())
    by_addresses_.try_emplace(std::move(addresses), number);
}

std::optional<std::size_t> SocketEnds::peer_of(std::uint32_t type, const Socket& socket) const {
  if (type == type_unix && socket.peer != 0) return number_at(by_inode_, socket.peer);
  const std::string addresses = type == type_inet ? connection(socket, true) : std::string{};
  return addresses.empty() ? std::nullopt : number_at(by_addresses_, addresses);
}

}  // namespace critpipe
