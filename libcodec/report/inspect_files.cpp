// Files and sockets of an inspection: who has them open, and who has the other end.
#include <unordered_map>

#include "report/explorers.hpp"
#include "report/file_details.hpp"
#include "report/inspection_work.hpp"
#include "report/socket_ends.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t access_mask = 3, write_only = 1, read_write = 2, path_only = 010000000;

std::uint64_t key_of(const Descriptor& descriptor) { return file_key(descriptor.type, descriptor.file_id); }

// Calls use(task, descriptor) for all of them, in the order of the tree.
template <typename Use>
void each_descriptor(const Inspection& inspection, Use use) {
  for (const InspectedProcess& process : inspection.processes) {
    if (!process.task->is_running()) continue;
    for (const Descriptor& descriptor : inspection.checkpoint->descriptors(*process.task))
      use(*process.task, descriptor);
  }
}

bool has_field(const File& file, std::string_view field) { return file.message->find(field) != nullptr; }

// What says how the file was opened: of a FIFO the entry of its path, of a pidfd nothing, whose flags are others.
const File* as_opened(const Checkpoint& checkpoint, const File& file) {
  const std::string_view type = type_name(file.type);
  if (type == "PIDFD") return nullptr;
  if (type != "FIFO") return &file;
  return checkpoint.find_file(type_reg, static_cast<std::uint32_t>(number_of(file, "regf_id")));
}

InspectedFile file_of(const Exploring& exploring, const File& file) {
  const Checkpoint& checkpoint = exploring.checkpoint;
  InspectedFile found{.path = checkpoint.path_of(file), .type = std::string{type_name(file.type)}};
  found.is_deleted = checkpoint.is_deleted(file);
  const bool is_plain = file.type == type_reg || file.type == type_memfd;
  if (!is_plain) found.about = detailed_text(exploring, file.type, file.id);
  const File* const opened = as_opened(checkpoint, file);
  if (opened && has_field(*opened, "flags")) {
    const auto flags = static_cast<std::uint32_t>(number_of(*opened, "flags"));
    found.flags = flags;
    const std::uint32_t access = flags & access_mask;
    const bool is_opened = !(flags & path_only);
    found.is_written = is_opened && (access == write_only || access == read_write);
    found.is_read = is_opened && access != write_only;
  }
  if (!is_plain) return found;
  found.position = number_of(file, "pos");
  if (file.type == type_memfd) {
    const auto inode = model_of(checkpoint).memfds.find(number_of(file, "inode_id"));
    if (inode != model_of(checkpoint).memfds.end()) found.size = inode->second.size;
  } else if (find_value(*file.message->find("size"), *file.message, file.payload)) {
    found.size = number_of(file, "size");
  }
  return found;
}

}  // namespace

void inspect_files(Inspection& inspection) {
  const Checkpoint& checkpoint = *inspection.checkpoint;
  StringOutput none;
  JsonWriter unused{none, false};
  const ExploreOptions plain{.form = ExploreOptions::Form::json};
  const Exploring exploring{checkpoint, plain, none, unused};
  std::unordered_map<std::uint64_t, std::size_t> known;
  each_descriptor(inspection, [&](const Task& task, const Descriptor& descriptor) {
    const File* file = checkpoint.find_file(descriptor.type, descriptor.file_id);
    if (!file || checkpoint.socket_of(*file)) return;
    const auto [at, added] = known.try_emplace(key_of(descriptor), inspection.files.size());
    if (added) inspection.files.push_back(file_of(exploring, *file));
    inspection.files[at->second].owners.push_back({task.pid, descriptor.fd});
  });
}

namespace {

// Of all sockets together. One end may be open in many processes, and be that of many sockets.
constexpr std::size_t max_peers = 100'000;

}  // namespace

bool InspectedSocket::is_listening() const {
  constexpr std::uint32_t listen = 10;
  return socket.state == listen;
}

void inspect_sockets(Inspection& inspection) {
  const Checkpoint& checkpoint = *inspection.checkpoint;
  std::vector<InspectedSocket>& sockets = inspection.sockets;
  std::unordered_map<std::uint64_t, std::size_t> known;
  std::vector<const File*> files;  // of the sockets
  SocketEnds ends;
  each_descriptor(inspection, [&](const Task& task, const Descriptor& descriptor) {
    const File* file = checkpoint.find_file(descriptor.type, descriptor.file_id);
    const auto socket = file ? checkpoint.socket_of(*file) : std::nullopt;
    if (!socket) return;
    const auto [at, added] = known.try_emplace(key_of(descriptor), sockets.size());
    if (added) {
      ends.add(*file, *socket, sockets.size());
      files.push_back(file);
      sockets.push_back({.socket = *socket, .type = descriptor.type});
    }
    sockets[at->second].owners.push_back({task.pid, descriptor.fd});
  });
  std::size_t room = max_peers, nr_without = 0;
  const auto add = [&](std::size_t from, std::size_t to) {
    const std::vector<Owner>& owners = sockets[to].owners;
    if (from == to) return;
    if (owners.size() > room) {
      ++nr_without;
      return;
    }
    room -= owners.size();
    sockets[from].peers = owners;
  };
  for (std::size_t i = 0; i < sockets.size(); ++i)
    if (const auto peer = ends.peer_of(*files[i], sockets[i].socket)) add(i, *peer);
  if (nr_without == 0) return;
  Error error{Reason::limit_json, inspection.id.checkpoint};
  error.name = "who has the other ends of sockets, " + std::to_string(nr_without) + " of which are left out,";
  error.want = max_peers * sizeof(Owner);
  inspection.errors.push_back(std::move(error));
}

std::string address_text(const InspectedSocket& inspected, bool is_peer) {
  const Socket& socket = inspected.socket;
  switch (inspected.type) {
    case type_unix: {
      if (is_peer) return {};
      std::string name = socket.source;
      if (name.starts_with('\0')) name[0] = '@';
      return name;
    }
    case type_netlink: return format("port %u", is_peer ? socket.destination_port : socket.source_port);
    case type_packet: return is_peer ? std::string{} : format("interface %u", socket.interface);
    default:
      return is_peer ? endpoint(socket.destination, socket.destination_port)
                     : endpoint(socket.source, socket.source_port);
  }
}

std::string protocol_text(const InspectedSocket& inspected) {
  const Socket& socket = inspected.socket;
  switch (inspected.type) {
    case type_unix: return "unix " + lower(socket_type_name(socket.type));
    case type_netlink: return "netlink " + lower(protocol_name(socket.family, socket.protocol));
    case type_packet: return "packet " + lower(socket_type_name(socket.type));
    default: {
      constexpr std::uint32_t af_inet6 = 10;
      return lower(protocol_name(socket.family, socket.protocol)) + (socket.family == af_inet6 ? "6" : "");
    }
  }
}

}  // namespace critpipe
