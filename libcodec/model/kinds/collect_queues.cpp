// sk-queues.img and tcp-stream-N: bytes that wait in sockets.
#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

struct Packet {
  std::uint32_t id_for = 0, length = 0;
};

void collect_packet(Model& model, std::uint32_t, const Entry& entry) {
  static const MessageReader<Packet> reader{"sk_packet_entry",
                                            {{"id_for", put<&Packet::id_for>}, {"length", put<&Packet::length>}}};
  Packet packet;
  reader.read(entry.payload, packet);
  model.unix_queues[packet.id_for] += packet.length;
}

void collect_tcp_stream(Model& model, std::uint32_t inode, const Entry& entry) {
  const auto length = [&](std::string_view field) {
    return integer_or(*entry.message->find(field), *entry.message, entry.payload, 0);
  };
  model.tcp_queues[inode] = {length("inq_len"), length("outq_len")};
}

bool needed(const Needs& needs) { return needs.queues; }

constexpr CollectedKind rows[] = {
    {"SK_QUEUES", needed, collect_packet, nullptr},
    {"TCP_STREAM", needed, collect_tcp_stream, nullptr},
};

}  // namespace

std::span<const CollectedKind> queues_kinds() { return rows; }

}  // namespace critpipe
