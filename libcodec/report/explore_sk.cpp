// sk: the sockets of each task.
#include <unordered_map>
#include <vector>

#include "report/explorers.hpp"
#include "report/socket_ends.hpp"

namespace critpipe {

namespace {

bool is_socket(std::uint32_t type) {
  return type == type_inet || type == type_unix || type == type_netlink || type == type_packet;
}

std::string port_text(std::uint32_t port) { return port == 0 ? "*" : std::to_string(port); }

// The name of a unix socket as people write it: @ for the zero byte of abstract ones.
std::string unix_name(const Exploring& exploring, std::string name) {
  if (name.empty()) return "*";
  if (name[0] == '\0') name[0] = '@';
  return exploring.shown(name);
}

std::string local_text(const Exploring& exploring, const Descriptor& descriptor, const Socket& socket) {
  switch (descriptor.type) {
    case type_unix: return unix_name(exploring, socket.source) + ":" + std::to_string(socket.inode);
    case type_netlink: return std::to_string(socket.source_port);
    case type_packet: return "interface:" + port_text(socket.interface);
    default: return endpoint(socket.source, socket.source_port);
  }
}

std::string peer_text(const Descriptor& descriptor, const Socket& socket) {
  switch (descriptor.type) {
    case type_unix: return "*:" + port_text(socket.peer);
    case type_netlink: return port_text(socket.destination_port);
    case type_packet: return "-";
    default: return endpoint(socket.destination, socket.destination_port);
  }
}

std::string or_dash(bool known, const std::string& text) { return known ? text : "-"; }

void print_header(const Exploring& exploring) {
  std::string line = format("%7s %6s %-7s %-9s %-14s %-11s", "PID", "FD", "DOMAIN", "TYPE", "PROTOCOL", "STATE");
  line += format(" %8s %8s", "RECV-Q", "SEND-Q");
  if (exploring.options.detail) line += format(" %8s %8s %10s", "RCVBUF", "SNDBUF", "INODE");
  exploring.write(line + " LOCAL PEER\n");
}

void print_socket(const Exploring& exploring, const Task& task, const Descriptor& descriptor, const Socket& socket) {
  const bool has_protocol = descriptor.type != type_unix;
  std::string line =
      format("%7u %6u %-7s", task.pid, descriptor.fd, std::string{domain_of(descriptor.type, socket.family)}.c_str());
  line += format(" %-9s %-14s %-11s", or_dash(socket.type != 0, socket_type_name(socket.type)).c_str(),
                 or_dash(has_protocol && socket.family != 0, protocol_name(socket.family, socket.protocol)).c_str(),
                 or_dash(socket.state != 0, socket_state_name(socket.state)).c_str());
  line += format(" %8s %8s", or_dash(socket.has_queues, std::to_string(socket.received)).c_str(),
                 or_dash(socket.has_queues, std::to_string(socket.sent)).c_str());
  if (exploring.options.detail)
    line += format(" %8u %8u %10u", socket.receive_buffer, socket.send_buffer, socket.inode);
  const bool known = socket.family != 0;
  exploring.write(line + " " + or_dash(known, local_text(exploring, descriptor, socket)) + " " +
                  or_dash(known, peer_text(descriptor, socket)) + "\n");
}

template <std::integral Number>
void put_number(JsonWriter& json, const char* key, Number number) {
  if (number != 0) json.key(key).number(number);
}

void put_text(JsonWriter& json, const char* key, const std::string& text) {
  if (!text.empty()) put_name(json, key, text);
}

// go-criu's keys are there where go-criu has them: the family of internet sockets only, no zeros.
void put_known(JsonWriter& json, const Descriptor& descriptor, const Socket& socket) {
  const bool is_unix = descriptor.type == type_unix, is_inet = descriptor.type == type_inet;
  if (is_inet) put_text(json, "family", family_name(socket.family));
  if (!is_unix) json.key("protocol").text(protocol_name(socket.family, socket.protocol));
  if (socket.type != 0) json.key("type").text(socket_type_name(socket.type));
  if (socket.state != 0) json.key("state").text(socket_state_name(socket.state));
  put_text(json, "src_addr", socket.source);
  put_number(json, "src_port", is_inet ? socket.source_port : 0);
  put_text(json, "dest_addr", socket.destination);
  put_number(json, "dest_port", is_inet ? socket.destination_port : 0);
}

// Who has the other end of a socket open; the first of them.
class Peers {
 public:
  Peers() = default;
  explicit Peers(const Checkpoint& checkpoint) {
    for (const Task& task : checkpoint.tasks())
      for (const Descriptor& descriptor : checkpoint.descriptors(task)) {
        const bool counts = is_socket(descriptor.type) && task.is_running();
        const File* file = counts ? checkpoint.find_file(descriptor.type, descriptor.file_id) : nullptr;
        if (!file || !numbers_.try_emplace(file_key(file->type, file->id), owners_.size()).second) continue;
        ends_.add(*file, *checkpoint.socket_of(*file), owners_.size());
        owners_.push_back(&task);
      }
  }
  const Task* of(const File& file, const Socket& socket) const {
    const auto number = ends_.peer_of(file, socket);
    if (!number) return nullptr;
    const auto own = numbers_.find(file_key(file.type, file.id));
    return own != numbers_.end() && own->second == *number ? nullptr : owners_[*number];
  }

 private:
  SocketEnds ends_;
  std::vector<const Task*> owners_;  // by the number of a socket
  std::unordered_map<std::uint64_t, std::size_t> numbers_;
};

void put_socket(Exploring& exploring, const Peers& peers, const Descriptor& descriptor) {
  JsonWriter& json = exploring.json;
  json.key("fd").number(descriptor.fd).key("fd_type").text(type_name(descriptor.type));
  const File* file = exploring.checkpoint.find_file(descriptor.type, descriptor.file_id);
  const Socket socket = file ? *exploring.checkpoint.socket_of(*file) : Socket{};
  if (file) put_known(json, descriptor, socket);
  json.key("id").number(descriptor.file_id);
  json.key("domain").text(domain_of(descriptor.type, socket.family));
  if (!file) return;
  json.key("send_buffer").number(socket.send_buffer).key("receive_buffer").number(socket.receive_buffer);
  if (socket.has_queues) json.key("send_queue").number(socket.sent).key("receive_queue").number(socket.received);
  put_number(json, "inode", std::uint64_t{socket.inode});
  put_number(json, "peer", std::uint64_t{socket.peer});
  if (const Task* peer = peers.of(*file, socket))
    put_name(json.key("peer_pid").number(peer->pid), "peer_comm", peer->comm);
  put_number(json, "interface", socket.interface);
  if (descriptor.type == type_netlink)
    json.key("port_id").number(socket.source_port).key("peer_port_id").number(socket.destination_port);
  if (exploring.options.detail)
    exploring.put_nested("file", [&](JsonWriter& inside) { inside.message(*file->message, file->payload); });
}

void put_task(Exploring& exploring, const Peers& peers, const Task& task) {
  JsonWriter& json = exploring.json;
  bool any = false;
  for (const Descriptor& descriptor : exploring.checkpoint.descriptors(task)) {
    if (!is_socket(descriptor.type)) continue;
    if (!any) exploring.put_pid(exploring.begin_line(), task).key("sockets").begin('[');
    any = true;
    json.begin('{');
    put_socket(exploring, peers, descriptor);
    json.end('}');
  }
  if (any) json.end(']').end('}');
}

void put_lines(Exploring& exploring, const Peers& peers, const Task& task) {
  for (const Descriptor& descriptor : exploring.checkpoint.descriptors(task)) {
    if (!is_socket(descriptor.type)) continue;
    exploring.put_pid(exploring.begin_line(), task);
    put_socket(exploring, peers, descriptor);
    exploring.end_line();
  }
}

void print_task(const Exploring& exploring, const Task& task, std::size_t& nr_rows) {
  for (const Descriptor& descriptor : exploring.checkpoint.descriptors(task)) {
    if (!is_socket(descriptor.type)) continue;
    if (nr_rows++ == 0) print_header(exploring);
    const File* file = exploring.checkpoint.find_file(descriptor.type, descriptor.file_id);
    print_socket(exploring, task, descriptor, file ? *exploring.checkpoint.socket_of(*file) : Socket{});
  }
}

}  // namespace

void explore_sk(Exploring& exploring) {
  const bool document = !exploring.is_text() && !exploring.is_lines();
  std::size_t nr_rows = 0;
  const Peers peers = exploring.is_text() ? Peers{} : Peers{exploring.checkpoint};
  if (document) exploring.begin_list();
  for (const Task& task : exploring.checkpoint.tasks()) {
    if (!task.is_running()) continue;
    if (exploring.is_text()) print_task(exploring, task, nr_rows);
    else if (exploring.is_lines()) put_lines(exploring, peers, task);
    else put_task(exploring, peers, task);
  }
  if (document) exploring.end_list();
  if (exploring.is_text() && nr_rows == 0 && exploring.has_head(0)) print_header(exploring);
}

}  // namespace critpipe
