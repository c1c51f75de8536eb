// Addresses, ports and names of sockets that a restore needs.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>

#include "checks/here_look.hpp"
#include "checks/socket_facts.hpp"
#include "rpc/rpc_messages.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t established = 1, listens = 10;

struct InetSocket {
  Socket socket;
  const File* file;
  const Task* by;
  bool is_tcp() const { return socket.type == SOCK_STREAM; }
  std::string source() const { return text(socket.source, socket.source_port); }
  std::string destination() const { return text(socket.destination, socket.destination_port); }

 private:
  std::string text(const std::string& address, std::uint32_t port) const {
    const bool is_sixth = socket.family == AF_INET6;
    return (is_sixth ? "[" : "") + address + (is_sixth ? "]:" : ":") + std::to_string(port);
  }
};

std::vector<InetSocket> inet_sockets(const HereLook& look) {
  std::vector<InetSocket> found;
  for (const HereLook::UsedFile& used : look.files()) {
    const auto socket = look.checkpoint.socket_of(*used.file);
    if (socket && (socket->family == AF_INET || socket->family == AF_INET6))
      found.push_back({*socket, used.file, used.by});
  }
  return found;
}

std::uint64_t option_of(const InetSocket& one, std::string_view part, std::string_view name) {
  for (const EntryPart& inner : entry_parts(*one.file->message, one.file->payload, part))
    return entry_number(*inner.message, inner.payload, name);
  return 0;
}

// What the kernel says if a new socket gets that address; 0: it may.
int try_address(const InetSocket& one, std::uint32_t port) {
  const OwnedDescriptor fd{::socket(static_cast<int>(one.socket.family), SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd) return errno;
  const auto set = [&](int level, int name, bool on) {
    const int value = on ? 1 : 0;
    (void)setsockopt(fd.fd(), level, name, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_REUSEADDR, true);
  set(SOL_SOCKET, SO_REUSEPORT, option_of(one, "opts", "so_reuseport") != 0);
  if (one.socket.family == AF_INET6) {
    sockaddr_in6 address = {};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    if (inet_pton(AF_INET6, one.socket.source.c_str(), &address.sin6_addr) != 1) return 0;
    set(IPPROTO_IPV6, IPV6_V6ONLY, entry_number(*one.file->message, one.file->payload, "v6only") != 0);
    return bind(fd.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  }
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, one.socket.source.c_str(), &address.sin_addr) != 1) return 0;
  return bind(fd.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

// Is it restored with its connection?
bool is_connected(const HereLook& look, const InetSocket& one) {
  const Socket& socket = one.socket;
  return !look.closes_connections() && is_connected_tcp(socket.protocol, socket.state, socket.destination_port);
}

bool needs_address(const HereLook& look, const InetSocket& one) {
  if (one.socket.source_port == 0 || option_of(one, "ip_opts", "freebind") != 0) return false;
  return !one.is_tcp() || one.socket.state == listens || is_connected(look, one);
}

void check_addresses(HereLook& look) {
  if (look.brings(&Ids::net_ns)) {
    if (const std::size_t count = inet_sockets(look).size(); count > 0)
      look.find(Severity::note, "not looked at: whether the addresses of " + std::to_string(count) +
                                    " sockets are there and free: the tree has a network of its own");
    return;
  }
  std::set<std::string> seen;
  for (const InetSocket& one : inet_sockets(look)) {
    if (!needs_address(look, one) || !seen.insert(one.socket.source).second) continue;
    const int error = try_address(one, 0);
    if (error == EADDRNOTAVAIL)
      look.find(Severity::error,
                "the address " + visible(one.socket.source) + " of a socket of " + text_of(*one.by) + " is not here",
                is_connected(look, one) ? "add it to an interface, or --tcp-close" : "add it to an interface",
                one.by->pid);
    else if (error == EINVAL)
      look.find(Severity::error,
                "the address " + visible(one.socket.source) + " of a socket of " + text_of(*one.by) +
                    " is of one link only, and the images don't say of which",
                "have the program listen on another address", one.by->pid);
    else if (error == EAFNOSUPPORT)
      look.find(Severity::error,
                "this machine has no IPv" + std::string{one.socket.family == AF_INET6 ? "6" : "4"} +
                    ", which a socket of " + text_of(*one.by) + " needs",
                "switch it on", one.by->pid);
  }
}

void check_ports(HereLook& look) {
  if (look.brings(&Ids::net_ns)) return;
  std::set<std::string> seen;
  for (const InetSocket& one : inet_sockets(look)) {
    if (one.socket.source_port == 0 || !one.is_tcp() || one.socket.state != listens) continue;
    if (!seen.insert(one.source()).second) continue;
    const int error = try_address(one, one.socket.source_port);
    if (error == EADDRINUSE)
      look.find(Severity::error,
                "the port of " + visible(one.source()) + ", on which " + text_of(*one.by) + " listens, is taken here",
                "end who listens there (ss -ltnp), or restore in a network namespace of its own", one.by->pid);
    else if (error == EACCES)
      look.find(Severity::error, "we may not listen on " + visible(one.source()) + ", as " + text_of(*one.by) + " does",
                "restore as root, or with CAP_NET_BIND_SERVICE", one.by->pid);
  }
}

void check_connections(HereLook& look) {
  if (look.brings(&Ids::net_ns)) return;
  std::optional<std::set<std::pair<std::string, std::string>>> here;  // both ends of each
  for (const InetSocket& one : inet_sockets(look)) {
    if (!is_connected(look, one) || one.socket.state != established) continue;
    if (!here) {
      here.emplace();
      for (TcpSocket& other : tcp_sockets_of(getpid()))
        if (other.inode != 0) here->emplace(std::move(other.local), std::move(other.remote));
    }
    if (here->contains({one.source(), one.destination()}))
      look.find(Severity::error,
                "the connection from " + visible(one.source()) + " to " + visible(one.destination()) + " of " +
                    text_of(*one.by) + " is alive here",
                "end the process that has it: it is perhaps the one that was dumped", one.by->pid);
  }
}

// Abstract names belong to the network namespace.
void check_names(HereLook& look) {
  if (look.brings(&Ids::net_ns)) return;
  std::optional<std::set<std::pair<std::string, int>>> here;  // names and types
  for (const HereLook::UsedFile& used : look.files()) {
    const auto socket = look.checkpoint.socket_of(*used.file);
    if (!socket || socket->family != AF_UNIX || socket->source.empty() || socket->source[0] != '\0') continue;
    // An accepted socket has the name of the one that listens.
    if (!here) {
      here.emplace();
      for (auto& [inode, other] : unix_sockets_of(getpid())) here->emplace(std::move(other.name), other.type);
    }
    if (here->contains({socket->source, static_cast<int>(socket->type)}))
      look.find(Severity::error,
                "the name @" + visible(socket->source.substr(1)) + " of a unix socket of " + text_of(*used.by) +
                    " is taken here",
                "end who has it (ss -xp), or restore in a network namespace of its own", used.by->pid);
  }
}

constexpr HereCheckRow rows[] = {
    {{"address", "the addresses of sockets are here", "Can't bind inet socket: Cannot assign requested address"},
     check_addresses},
    {{"port", "ports that the tree listens on are free", "Can't bind inet socket (id N): Address already in use"},
     check_ports},
    {{"connection", "no connection of the images is alive here", "Can't connect inet socket back"}, check_connections},
    {{"socket-name", "abstract names of unix sockets are free", "Can't bind socket: Address already in use"},
     check_names},
};

}  // namespace

std::span<const HereCheckRow> here_socket_checks() { return rows; }

}  // namespace critpipe
