// Sockets, their peers and what waits in them.
#include "check/checked_images.hpp"
#include "model/file_types.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t external_flag = 1;  // USK_EXTERN

void find_peers(const CheckedImages& set, const Reporter& report) {
  if (set.lacks_files(type_unix)) return;
  std::set<std::uint32_t> inodes;
  for (const SeenFile& file : set.files())
    if (file.type == type_unix) inodes.insert(file.record.id("ino"));
  for (const SeenFile& file : set.files()) {
    if (file.type != type_unix) continue;
    const std::uint32_t peer = file.record.id("peer");
    if (peer != 0 && !inodes.contains(peer) && !(file.record.number("uflags") & external_flag))
      report({std::string{file.image}, file.entry, "usk.peer"},
             format("the peer %u of unix socket %u is not in the images", peer, file.record.id("ino")));
  }
}

void find_external_sockets(const CheckedImages& set, const Reporter& report) {
  for (const SeenFile& file : set.files())
    if (file.type == type_unix && file.record.number("uflags") & external_flag && !set.plan.ext_unix_sk &&
        !set.is_inherited(format("socket:[%u]", file.record.id("ino"))))
      report.need(
          {std::string{file.image}, file.entry, "usk.uflags"},
          "a unix socket from outside, " + quoted(file.record.text("name")) + ": the restore needs --ext-unix-sk");
}

bool is_connected(const SeenFile& file) {
  return file.type == type_inet &&
         is_connected_tcp(file.record.id("proto"), file.record.id("state"), file.record.id("dst_port"));
}

void find_connections(const CheckedImages& set, const Reporter& report) {
  if (set.plan.tcp_established || set.plan.tcp_close || set.first("INVENTORY").number("tcp_close") != 0) return;
  std::uint64_t count = 0;
  const SeenFile* first = nullptr;
  for (const SeenFile& file : set.files())
    if (is_connected(file) && ++count == 1) first = &file;
  if (first)
    report.need(
        {std::string{first->image}, first->entry, "isk.state"},
        format("%llu TCP socket%s connected: the restore needs --tcp-established, or --tcp-close to drop %s",
               static_cast<unsigned long long>(count), count == 1 ? " is" : "s are", count == 1 ? "it" : "them"));
}

void find_streams(const CheckedImages& set, const Reporter& report) {
  if (set.plan.tcp_close || set.first("INVENTORY").number("tcp_close") != 0) return;
  for (const SeenFile& file : set.files()) {
    const std::string name = image_name("TCP_STREAM", file.record.id("ino"));
    if (is_connected(file) && !set.has(name) && !set.is_cut)
      report({name}, format("this image is missing: %.*s, entry %llu, is a connected TCP socket",
                            static_cast<int>(file.image.size()), file.image.data(),
                            static_cast<unsigned long long>(file.entry)));
  }
}

void find_lone_streams(const CheckedImages& set, const Reporter& report) {
  if (set.lacks_files(type_inet) || !set.has_tasks()) return;
  std::set<std::string> known;
  for (const SeenFile& file : set.files())
    if (file.type == type_inet) known.insert(image_name("TCP_STREAM", file.record.id("ino")));
  for (const auto& [name, image] : set.images)
    if (name.starts_with("tcp-stream-") && !known.contains(name))
      report({name}, "no socket of the images has that inode");
}

void find_queues(const CheckedImages& set, const Reporter& report) {
  set.each("SK_QUEUES", [&](const std::string& image, std::uint64_t entry, const Record& packet) {
    const std::uint32_t owner = packet.id("id_for");
    if (!set.find_file(type_unix, owner) && !set.lacks_files(type_unix) && !set.has_file(owner))
      report({image, entry, "id_for"},
             format("%llu bytes wait in %s, which is not in the images",
                    static_cast<unsigned long long>(packet.number("length")), file_text(type_unix, owner).c_str()));
  });
}

void find_rights(const CheckedImages& set, const Reporter& report) {
  if (set.is_damaged("files.img") || set.files().empty()) return;
  set.each("SK_QUEUES", [&](const std::string& image, std::uint64_t entry, const Record& packet) {
    packet.each("scm", [&](const Record& scm) {
      scm.each_number("rights", [&](std::uint64_t file) {
        if (!set.has_file(static_cast<std::uint32_t>(file)))
          report({image, entry, "scm.rights"}, format("file %llu, which is sent to the socket, is not in the images",
                                                      static_cast<unsigned long long>(file)));
      });
    });
  });
}

// CRIU sends a packet in the name of who sent it.
void find_senders(const CheckedImages& set, const Reporter& report) {
  if (!set.has_whole_tree()) return;
  set.each("SK_QUEUES", [&](const std::string& image, std::uint64_t entry, const Record& packet) {
    const std::uint32_t pid = packet.inner("ucred").id("pid");
    if (pid != 0 && !set.has_pid(pid))
      report({image, entry, "ucred.pid"}, format("task %u, which sent the packet, is not in the tree", pid),
             set.severity_of_unknown_pid());
  });
}

constexpr RuleRow rows[] = {
    {{"unix-peer", Severity::error, "The other end of a unix socket is not in the images.",
      "Take files.img from the dump as it was written."},
     find_peers},
    {{"needs-ext-unix-sk", Severity::error, "A unix socket is connected to a process outside.",
      "Give --ext-unix-sk to the restore."},
     find_external_sockets},
    {{"needs-tcp-established", Severity::error, "There are connected TCP sockets.",
      "Give --tcp-established to the restore, with the addresses there; or --tcp-close, which drops the connections."},
     find_connections},
    {{"tcp-stream-missing", Severity::error, "The state of a connected TCP socket is not there.",
      "Copy the tcp-stream image again, or restore with --tcp-close."},
     find_streams},
    {{"tcp-stream-unclaimed", Severity::warning, "The state of a TCP socket belongs to no socket.",
      "Look whether files.img is of the same dump."},
     find_lone_streams},
    {{"queue-owner", Severity::loss, "Packets wait in a socket that is not in the images.",
      "Take files.img and sk-queues.img from the same dump."},
     find_queues},
    {{"queue-rights", Severity::error, "A descriptor in flight is of a file that is not in the images.",
      "Take files.img and sk-queues.img from the same dump."},
     find_rights},
    {{"queue-sender", Severity::error, "A packet that waits was sent by a task that is not in the tree.",
      "Take sk-queues.img and pstree.img from the same dump. Where the tree shares its pid namespace, the restore "
      "fails unless somebody has that pid then."},
     find_senders},
};

}  // namespace

std::span<const RuleRow> sockets_rules() { return rows; }

}  // namespace critpipe
