// Sockets and their peers.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "checks/capabilities.hpp"
#include "checks/check_row.hpp"
#include "checks/socket_facts.hpp"

namespace critpipe {

namespace {

constexpr int established = 1, listening = 10;

struct Owner {
  const TaskFacts* task;
  const FdFacts* fd;
};
std::map<std::uint64_t, Owner> owners_of(const TreeFacts& tree) {
  std::map<std::uint64_t, Owner> owners;
  for (const TaskFacts& task : tree.tasks)
    for (const FdFacts& fd : task.fds)
      if (S_ISSOCK(fd.file.st_mode)) owners.try_emplace(fd.inode(), Owner{&task, &fd});
  return owners;
}

void check_tcp(DumpLook& look) {
  if (look.tree.sockets.empty()) return;
  const auto owners = owners_of(look.tree);
  const bool takes = look.options.is_on("tcp_established") || look.options.is_on("tcp_close");
  const auto is_waited_for = [](const TcpSocket& one) { return one.state == listening && one.waiting > 0; };
  auto sockets = tcp_sockets_of(look.tree.root().pid);
  // A program that listens takes a connection at once, or does not for long.
  if (std::any_of(sockets.begin(), sockets.end(), is_waited_for)) {
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    sockets = tcp_sockets_of(look.tree.root().pid);
  }
  for (const TcpSocket& socket : sockets) {
    const auto owner = owners.find(socket.inode);
    if (owner == owners.end() || socket.inode == 0) continue;
    const auto& [task, fd] = owner->second;
    constexpr int closed = 7;
    if (is_waited_for(socket) && !look.options.is_on("tcp_skip_in_flight"))
      look.find_fd(Severity::error, *task, *fd, "connections to " + socket.local + " wait to be accepted",
                   "--skip-in-flight leaves them out");
    else if (socket.state != listening && socket.state != closed && !takes)
      look.find_fd(Severity::error, *task, *fd, "a TCP connection from " + socket.local + " to " + socket.remote,
                   "--tcp-established, here and for the restore, or --tcp-close");
  }
}

// A socket that listens and those that it has accepted may get one inode in the images, and then one of them is lost.
void check_listeners(DumpLook& look) {
  if (!look.options.is_on("tcp_close") || !look.options.is_on("tcp_skip_in_flight") || look.tree.sockets.empty())
    return;
  const auto owners = owners_of(look.tree);
  const auto sockets = tcp_sockets_of(look.tree.root().pid);
  for (const TcpSocket& socket : sockets) {
    const auto owner = owners.find(socket.inode);
    if (owner == owners.end() || socket.inode == 0 || socket.state != listening || socket.local[0] != '[') continue;
    const std::string port = socket.local.substr(socket.local.rfind(':'));
    const bool has_accepted = std::any_of(sockets.begin(), sockets.end(), [&](const TcpSocket& other) {
      return other.state == established && other.inode != 0 && other.local.ends_with(port);
    });
    if (has_accepted)
      look.find_fd(Severity::warning, *owner->second.task, *owner->second.fd,
                   "some releases of CRIU lose a socket that listens on " + socket.local +
                       " and has connections, with "
                       "--tcp-close and --skip-in-flight",
                   "see after the restore whether it listens (ss -ltn), or dump without --skip-in-flight");
  }
}

void check_repair(DumpLook& look) {
  if (!look.options.is_on("tcp_established") || look.tree.sockets.empty()) return;
  if (capabilities_of(getpid()).has(Capabilities::net_admin)) return;
  const auto owners = owners_of(look.tree);
  for (const TcpSocket& socket : tcp_sockets_of(look.tree.root().pid)) {
    const auto owner = owners.find(socket.inode);
    if (owner == owners.end() || socket.inode == 0 || socket.state != established) continue;
    return look.find_fd(Severity::error, *owner->second.task, *owner->second.fd,
                        "a TCP connection to " + socket.remote + " is dumped with CAP_NET_ADMIN, which we lack",
                        "dump as root, or with --tcp-close");
  }
}

void check_protocols(DumpLook& look) {
  constexpr int multipath = 262, udp_lite = 136;
  for (const TaskFacts& task : look.tree.tasks)
    for (const FdFacts& fd : task.fds) {
      if (fd.domain < 0) continue;
      const bool is_inet = fd.domain == AF_INET || fd.domain == AF_INET6;
      const bool is_known = is_inet || fd.domain == AF_UNIX || fd.domain == AF_NETLINK || fd.domain == AF_PACKET;
      const int protocol = fd.protocol;
      if (!is_known)
        look.find_fd(Severity::error, task, fd, "a socket of the family " + std::to_string(fd.domain),
                     "CRIU cannot dump it: the program must close it");
      else if (is_inet && protocol == multipath)
        look.find_fd(Severity::error, task, fd, "a multipath TCP socket (protocol 262)",
                     "Go programs listen so by default: start them with GODEBUG=multipathtcp=0");
      else if (is_inet && fd.type != SOCK_RAW && protocol != 0 && protocol != IPPROTO_TCP && protocol != IPPROTO_UDP &&
               protocol != udp_lite)
        look.find_fd(Severity::error, task, fd, "a socket of the protocol " + std::to_string(protocol),
                     "CRIU dumps TCP, UDP and raw sockets: the program must close it");
    }
}

void check_netlink(DumpLook& look) {
  for (const TaskFacts& task : look.tree.tasks)
    for (const FdFacts& fd : task.fds)
      if (fd.domain == AF_NETLINK && fd.has_unread)
        look.find_fd(Severity::error, task, fd, "a netlink socket has an answer that the program has not read",
                     "dump when the program has read it");
}

std::string socket_name(const UnixSocket& socket) {
  if (socket.name.empty()) return "without a name";
  return socket.name[0] == '\0' ? "@" + visible(socket.name.substr(1)) : visible(socket.name.c_str());
}

// Whom a connecting socket waits for; null: it does not wait.
const UnixSocket* listener_of(const std::map<std::uint64_t, UnixSocket>& sockets, std::uint64_t inode) {
  for (const auto& [number, one] : sockets)
    if (std::find(one.waiting.begin(), one.waiting.end(), inode) != one.waiting.end()) return &one;
  return nullptr;
}

// What was written into a connection before it was accepted is lost to CRIU.
void check_in_flight(DumpLook& look, const std::map<std::uint64_t, UnixSocket>& sockets,
                     const std::map<std::uint64_t, Owner>& owners) {
  for (const auto& [inode, owner] : owners) {
    const auto found = sockets.find(inode);
    if (found == sockets.end()) continue;
    for (const std::uint64_t one : found->second.waiting)
      if (const auto waiting = sockets.find(one); waiting != sockets.end() && waiting->second.sent > 0)
        look.find_fd(Severity::error, *owner.task, *owner.fd,
                     "a connection to " + socket_name(found->second) + " was written into and is not accepted yet",
                     "dump when the program has accepted it");
  }
}

void check_unix(DumpLook& look) {
  const auto owners = owners_of(look.tree);
  if (std::none_of(owners.begin(), owners.end(), [](const auto& one) { return one.second.fd->domain == AF_UNIX; }))
    return;
  const auto sockets = unix_sockets_of(look.tree.root().pid);
  check_in_flight(look, sockets, owners);
  for (const auto& [inode, owner] : owners) {
    const auto found = sockets.find(inode);
    if (found == sockets.end()) continue;
    const UnixSocket& socket = found->second;
    const UnixSocket* peer = nullptr;
    if (const auto other = sockets.find(socket.peer); socket.peer && other != sockets.end()) peer = &other->second;
    if (!peer && socket.state == established) peer = listener_of(sockets, inode);
    const std::uint64_t peer_inode = peer ? peer->inode : socket.peer;
    if (peer_inode == 0 || look.tree.sockets.contains(peer_inode)) continue;
    if (look.is_external("unix[" + std::to_string(inode) + "]")) continue;
    const std::string text = "a unix socket to one outside of the tree, " +
                             (peer ? socket_name(*peer) : std::string{"without a name"}) + " (" +
                             std::to_string(peer_inode) + ")";
    if (socket.type == SOCK_DGRAM && look.options.is_on("ext_unix_sk")) continue;
    look.find_fd(Severity::error, *owner.task, *owner.fd, text,
                 socket.type == SOCK_DGRAM
                     ? "--ext-unix-sk, here and for the restore"
                     : "--external unix[" + std::to_string(inode) +
                           "], and a new peer for the restore: --inherit socket:[" + std::to_string(inode) + "]=FD");
  }
}

constexpr DumpCheckRow rows[] = {
    {{"tcp", "TCP connections have --tcp-established or --tcp-close; none waits to be accepted",
      "Connected TCP socket, consider using --tcp-established option; In-flight connection"},
     check_tcp},
    {{"listeners", "no socket that listens may be lost", "(it says nothing: the restored program does not listen)"},
     check_listeners},
    {{"tcp-repair", "we may take TCP connections apart", "Can't turn TCP repair mode ON: Operation not permitted"},
     check_repair},
    {{"protocols", "CRIU knows the sockets' families and protocols", "Unsupported proto N for socket"},
     check_protocols},
    {{"netlink", "netlink sockets have nothing to be read", "netlink: The socket has data to read"}, check_netlink},
    {{"unix-peers", "unix sockets have their peers in the tree",
      "External socket is used. Consider using --ext-unix-sk; Can't dump half of stream unix connection; "
      "Non-empty write queue on an in-flight socket"},
     check_unix},
};

}  // namespace

std::span<const DumpCheckRow> socket_checks() { return rows; }

}  // namespace critpipe
