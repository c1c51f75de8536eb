// Which types of files there are, and the names that the schema gives them.
#include "checkpoint/file_types.hpp"

#include <algorithm>
#include <array>

#include "critpipe/kind.hpp"
#include "critpipe/task.hpp"

namespace critpipe {

namespace {

constexpr FileType rows[] = {
    //  name      field    own image         mapped  text, part
    {"REG", "reg", "REG_FILES", true, "", nullptr},
    {"PIPE", "pipe", "PIPES", false, "", nullptr},
    {"FIFO", "fifo", "FIFO", false, "fifo[{pipe_id} {*}]", path_part},
    {"INETSK", "isk", "INETSK", false, "{*}", socket_part},
    {"UNIXSK", "usk", "UNIXSK", false, "", nullptr},
    {"EVENTFD", "efd", "EVENTFD_FILE", false, "eventfd[{counter}]", nullptr},
    {"EVENTPOLL", "epfd", "EVENTPOLL_FILE", false, "eventpoll[targets {*}]", epoll_part},
    {"INOTIFY", "ify", "INOTIFY_FILE", false, "inotify[watches {*}]", inotify_part},
    {"SIGNALFD", "sgfd", "SIGNALFD", false, "signalfd[0x{sigmask:x}]", nullptr},
    {"PACKETSK", "psk", "PACKETSK", true, "{*}", socket_part},
    {"TTY", "tty", "TTY_FILES", false, "tty[{*}]", tty_part},
    {"FANOTIFY", "ffy", "FANOTIFY_FILE", false, "fanotify[marks {*}]", fanotify_part},
    {"NETLINKSK", "nlsk", "NETLINK_SK", false, "{*}", socket_part},
    {"NS", "nsf", "NS_FILES", false, "ns[{*} {ns_id}]", namespace_part},
    {"TUNF", "tunf", "TUNFILE", false, "tun[{netdev}]", nullptr},
    {"EXT", "ext", "EXT_FILES", false, "ext[{id}]", nullptr},
    {"TIMERFD", "tfd", "TIMERFD", false, "timerfd[{*}]", timer_part},
    {"MEMFD", "memfd", "", true, "{*}", path_part},
    {"BPFMAP", "bpf", "BPFMAP_FILE", true, "bpfmap[{map_name} type {map_type} of {max_entries}]", nullptr},
    {"PIDFD", "pidfd", "PIDFD", false, "pidfd[{nspid}]", nullptr},
};

std::span<const Name> types() { return find_message("fdinfo_entry")->find("type")->enum_values(); }

std::array<FileType, std::size(rows)> resolved() {
  std::array<FileType, std::size(rows)> all;
  std::ranges::copy(rows, all.begin());
  const Message& entry = *find_message("file_entry");
  for (FileType& row : all) {
    row.type = static_cast<std::uint32_t>(std::ranges::find(types(), row.name, &Name::name)->value);
    row.message = &entry.find(row.field)->message();
    row.kind = row.image.empty() ? nullptr : find_kind(row.image);
  }
  return all;
}

}  // namespace

std::span<const FileType> all_file_types() {
  static const auto all = resolved();
  return all;
}

const FileType* file_type_of(std::uint32_t type) {
  const auto all = all_file_types();
  const auto found = std::ranges::find(all, type, &FileType::type);
  return found == all.end() ? nullptr : &*found;
}

const FileType* file_type_of_kind(const Kind& kind) {
  const auto all = all_file_types();
  const auto found = std::ranges::find(all, &kind, &FileType::kind);
  return found == all.end() ? nullptr : &*found;
}

const FileType* file_type_of_field(const Field& field) {
  const auto all = all_file_types();
  const auto found = std::ranges::find(all, field.name(), &FileType::field);
  return found == all.end() ? nullptr : &*found;
}

std::string_view type_name(std::uint32_t type) {
  const auto all = types();
  const auto found = std::ranges::find(all, type, &Name::value);
  return found == all.end() ? std::string_view{} : found->name;
}

}  // namespace critpipe
