// What images say of files, of either generation, and of what waits in sockets.
#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

using Model = Checkpoint::Model;

void take_files(Model& model, std::uint32_t, const Entry& entry) {
  static const Field& id_field = *find_message("file_entry")->find("id");
  const auto id = static_cast<std::uint32_t>(integer_or(id_field, *entry.message, entry.payload, 0));
  for (Fields fields{*entry.message, entry.payload}; fields.next();) {
    const Value& value = fields.value();
    if (!value.field || value.field->type != Type::message) continue;
    if (const FileType* row = file_type_of_field(*value.field)) model.add_file(*row, id, value.bytes);
  }
}

void take_own_image(Model& model, std::uint32_t, const Entry& entry) {
  const FileType& row = *file_type_of_kind(*entry.kind);
  const Field& id = *row.message->find("id");
  model.add_file(row, static_cast<std::uint32_t>(integer_or(id, *row.message, entry.payload, 0)), entry.payload);
}

// Old sets have what an epoll, inotify or fanotify looks at in an image of its own, an entry a target.
void take_watch(Model& model, std::uint32_t, const Entry& entry) {
  const Field& id = *entry.message->find("id");
  const auto file_id = static_cast<std::uint32_t>(integer_or(id, *entry.message, entry.payload, 0));
  ++model.watches[{entry.kind, file_id}];
}

void take_memfd(Model& model, std::uint32_t, const Entry& entry) {
  static const MessageReader<MemfdInode> reader{"memfd_inode_entry",
                                                {{"inode_id", put<&MemfdInode::inode_id>},
                                                 {"size", put<&MemfdInode::size>},
                                                 {"shmid", put<&MemfdInode::shmid>},
                                                 {"seals", put<&MemfdInode::seals>},
                                                 {"name", put<&MemfdInode::name>}}};
  MemfdInode inode;
  reader.read(entry.payload, inode);
  const std::uint64_t id = inode.inode_id;
  model.memfds.try_emplace(id, std::move(inode));
}

void take_tty_info(Model& model, std::uint32_t, const Entry& entry) {
  static const MessageReader<TtyInfo> reader{"tty_info_entry",
                                             {{"id", put<&TtyInfo::id>},
                                              {"type", put<&TtyInfo::type>},
                                              {"sid", put<&TtyInfo::sid>},
                                              {"pgrp", put<&TtyInfo::pgrp>}}};
  static const Field& pty = *reader.message().find("pty");
  static const Field& index = *pty.message().find("index");
  TtyInfo info;
  reader.read(entry.payload, info, [&](const Value& value) {
    if (value.field == &pty) info.index = static_cast<std::uint32_t>(integer_or(index, pty.message(), value.bytes, 0));
  });
  model.ttys.try_emplace(info.id, info);
}

namespace {

struct Packet {
  std::uint32_t id_for = 0, length = 0;
};

}  // namespace

void take_packet(Model& model, std::uint32_t, const Entry& entry) {
  static const MessageReader<Packet> reader{"sk_packet_entry",
                                            {{"id_for", put<&Packet::id_for>}, {"length", put<&Packet::length>}}};
  Packet packet;
  reader.read(entry.payload, packet);
  model.unix_queues[packet.id_for] += packet.length;
}

void take_tcp_stream(Model& model, std::uint32_t inode, const Entry& entry) {
  const auto length = [&](std::string_view field) {
    return integer_or(*entry.message->find(field), *entry.message, entry.payload, 0);
  };
  model.tcp_queues[inode] = {length("inq_len"), length("outq_len")};
}

}  // namespace critpipe
