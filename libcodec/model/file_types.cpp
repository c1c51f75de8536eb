// Which types of files there are, and the names that the schema gives them.
#include "model/file_types.hpp"

#include <algorithm>
#include <array>

#include "critpipe/schema.hpp"
#include "critpipe/task.hpp"

namespace critpipe {

namespace {

constexpr FileType rows[] = {
    //  name      field    own image         mapped
    {"REG", "reg", "REG_FILES", true},
    {"PIPE", "pipe", "PIPES", false},
    {"FIFO", "fifo", "FIFO", false},
    {"INETSK", "isk", "INETSK", false},
    {"UNIXSK", "usk", "UNIXSK", false},
    {"EVENTFD", "efd", "EVENTFD_FILE", false},
    {"EVENTPOLL", "epfd", "EVENTPOLL_FILE", false},
    {"INOTIFY", "ify", "INOTIFY_FILE", false},
    {"SIGNALFD", "sgfd", "SIGNALFD", false},
    {"PACKETSK", "psk", "PACKETSK", true},
    {"TTY", "tty", "TTY_FILES", false},
    {"FANOTIFY", "ffy", "FANOTIFY_FILE", false},
    {"NETLINKSK", "nlsk", "NETLINK_SK", false},
    {"NS", "nsf", "NS_FILES", false},
    {"TUNF", "tunf", "TUNFILE", false},
    {"EXT", "ext", "EXT_FILES", false},
    {"TIMERFD", "tfd", "TIMERFD", false},
    {"MEMFD", "memfd", "", true},
    {"BPFMAP", "bpf", "BPFMAP_FILE", true},
    {"PIDFD", "pidfd", "PIDFD", false},
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
