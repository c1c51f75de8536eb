// Sockets of five families in one form.
#include <algorithm>

#include "model/model.hpp"
#include "model/message_reader.hpp"
#include "base/ip_address.hpp"

namespace critpipe {

namespace {

enum : std::uint32_t { af_unix = 1, af_netlink = 16, af_packet = 17, tcp = 6 };

constexpr Name families[] = {{"UNIX", 1}, {"IPV4", 2},     {"BRIDGE", 7}, {"IPV6", 10},
                             {"KEY", 15}, {"NETLINK", 16}, {"PACKET", 17}};
constexpr Name socket_types[] = {{"STREAM", 1}, {"DGRAM", 2}, {"RAW", 3}, {"RDM", 4}, {"SEQPACKET", 5}, {"PACKET", 10}};
constexpr Name protocols[] = {{"IP", 0},   {"ICMP", 1},    {"IGMP", 2},      {"TCP", 6},
                              {"UDP", 17}, {"ICMPV6", 58}, {"UDPLITE", 136}, {"RAW", 255}};
constexpr Name states[] = {{"ESTABLISHED", 1}, {"SYN_SENT", 2},  {"SYN_RECV", 3}, {"FIN_WAIT1", 4},
                           {"FIN_WAIT2", 5},   {"TIME_WAIT", 6}, {"CLOSE", 7},    {"CLOSE_WAIT", 8},
                           {"LAST_ACK", 9},    {"LISTEN", 10},   {"CLOSING", 11}, {"NEW_SYN_RECV", 12}};

constexpr Name netlink_protocols[] = {
    {"ROUTE", 0},      {"USERSOCK", 2},       {"FIREWALL", 3},  {"SOCK_DIAG", 4}, {"NFLOG", 5},
    {"XFRM", 6},       {"SELINUX", 7},        {"ISCSI", 8},     {"AUDIT", 9},     {"FIB_LOOKUP", 10},
    {"CONNECTOR", 11}, {"NETFILTER", 12},     {"IP6_FW", 13},   {"DNRTMSG", 14},  {"KOBJECT_UEVENT", 15},
    {"GENERIC", 16},   {"SCSITRANSPORT", 18}, {"ECRYPTFS", 19}, {"RDMA", 20},     {"CRYPTO", 21},
    {"SMC", 22}};

std::string name_in(std::span<const Name> names, std::uint32_t value) {
  const auto found = std::ranges::find(names, value, &Name::value);
  return found == names.end() ? std::to_string(value) : std::string{found->name};
}

std::string address_text(const std::vector<std::uint32_t>& words) {
  char text[address_room];
  if (words.size() == 1) return {text, write_ipv4(text, words[0])};
  if (words.size() < 4) return {};
  const std::uint32_t four[4] = {words[0], words[1], words[2], words[3]};
  return {text, write_ipv6(text, four)};
}

struct Buffers {
  std::uint32_t send = 0, receive = 0;
};

// The fields that the messages of sockets share by name; each message has some of them.
void read_common(const File& file, Socket& socket) {
  static const MessageReader<Buffers> buffers{
      "sk_opts_entry", {{"so_sndbuf", put<&Buffers::send>}, {"so_rcvbuf", put<&Buffers::receive>}}};
  std::vector<std::uint32_t> source, destination;
  for (Fields fields{*file.message, file.payload}; fields.next();) {
    const Value& value = fields.value();
    if (!value.field) continue;
    const std::string_view name = value.field->name();
    const auto word = static_cast<std::uint32_t>(value.integer);
    if (name == "family") socket.family = word;
    else if (name == "type") socket.type = word;
    else if (name == "proto" || name == "protocol") socket.protocol = word;
    else if (name == "state") socket.state = word;
    else if (name == "ino") socket.inode = word;
    else if (name == "peer") socket.peer = word;
    else if (name == "ifindex") socket.interface = word;
    else if (name == "name") socket.source = as_text(value.bytes);
    else if (name == "src_port" || name == "portid") socket.source_port = word;
    else if (name == "dst_port" || name == "dst_portid") socket.destination_port = word;
    else if (name == "src_addr")
      each_integer(value, [&](std::uint64_t part) { source.push_back(static_cast<std::uint32_t>(part)); });
    else if (name == "dst_addr")
      each_integer(value, [&](std::uint64_t part) { destination.push_back(static_cast<std::uint32_t>(part)); });
    else if (name == "opts") {
      Buffers both;
      buffers.read(value.bytes, both);
      socket.send_buffer = both.send;
      socket.receive_buffer = both.receive;
    }
  }
  // CRIU stores the zero byte that ends a path, too; an abstract name begins with one and may end with any.
  if (file.type == type_unix && !socket.source.starts_with('\0'))
    while (socket.source.ends_with('\0')) socket.source.pop_back();
  if (file.type != type_inet) return;
  socket.source = address_text(source);
  socket.destination = address_text(destination);
}

void read_queues(const Model& model, const File& file, Socket& socket) {
  if (!model.needs.queues) return;
  if (file.type == type_unix) {
    const auto waiting = model.unix_queues.find(file.id);
    socket.has_queues = true;
    socket.received = waiting == model.unix_queues.end() ? 0 : waiting->second;
  }
  const auto stream = model.tcp_queues.find(socket.inode);
  if (file.type != type_inet || socket.protocol != tcp || stream == model.tcp_queues.end()) return;
  socket.has_queues = true;
  socket.received = stream->second.received;
  socket.sent = stream->second.sent;
}

}  // namespace

std::optional<Socket> Checkpoint::socket_of(const File& file) const {
  Socket socket;
  switch (file.type) {
    case type_inet: break;
    case type_unix: socket.family = af_unix; break;
    case type_netlink: socket.family = af_netlink; break;
    case type_packet: socket.family = af_packet; break;
    default: return std::nullopt;
  }
  read_common(file, socket);
  read_queues(*model_, file, socket);
  return socket;
}

bool is_connected_tcp(std::uint32_t protocol, std::uint32_t state, std::uint32_t destination_port) {
  constexpr std::uint32_t closed = 7, listens = 10;
  return protocol == tcp && destination_port != 0 && state != closed && state != listens;
}

std::string family_name(std::uint32_t family) { return name_in(families, family); }
std::string socket_type_name(std::uint32_t type) { return name_in(socket_types, type); }
std::string socket_state_name(std::uint32_t state) { return name_in(states, state); }

// The protocols of netlink and packet sockets are other numbers than those of the internet; the latter's are types of
// Ethernet frames as they stand on the wire.
std::string protocol_name(std::uint32_t family, std::uint32_t protocol) {
  if (family == af_netlink) return name_in(netlink_protocols, protocol);
  if (family != af_packet) return name_in(protocols, protocol);
  return format("0x%04x", __builtin_bswap16(static_cast<std::uint16_t>(protocol)));
}

}  // namespace critpipe
