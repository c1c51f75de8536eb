// The parts of a file's text that take more than a field.
#include <algorithm>
#include <sys/socket.h>

#include "report/file_details.hpp"
#include "critpipe/fields.hpp"

namespace critpipe {

namespace {

// Targets stand in the file's message or, in old sets, in an image of their own.
std::string count_text(const Exploring& exploring, const File& file, std::string_view field, std::string_view image) {
  const Field* const list = file.message->find(field);
  std::size_t count = 0;
  for (Fields fields{*file.message, file.payload}; fields.next();) count += fields.value().field == list;
  const auto& watches = model_of(exploring.checkpoint).watches;
  const auto old = watches.find({find_kind(image), file.id});
  return std::to_string(count + (old == watches.end() ? 0 : old->second));
}

std::string socket_part(const Exploring& exploring, const File& file) {
  const Socket socket = *exploring.checkpoint.socket_of(file);
  const std::string protocol = lower(protocol_name(socket.family, socket.protocol));
  switch (file.type) {
    case type_netlink: return format("netlink[%s port %u]", protocol.c_str(), socket.source_port);
    case type_packet:
      return format("packet[%s %s interface %u]", socket_type_name(socket.type).c_str(), protocol.c_str(),
                    socket.interface);
    default: break;
  }
  const bool has_peer = socket.destination_port != 0;
  return joined({protocol, "[", endpoint(socket.source, socket.source_port), has_peer ? " -> " : "",
                 has_peer ? endpoint(socket.destination, socket.destination_port) : "", " ",
                 socket_state_name(socket.state), "]"});
}

std::string epoll_part(const Exploring& exploring, const File& file) {
  return count_text(exploring, file, "tfd", "EVENTPOLL_TFD");
}
std::string inotify_part(const Exploring& exploring, const File& file) {
  return count_text(exploring, file, "wd", "INOTIFY_WD");
}
std::string fanotify_part(const Exploring& exploring, const File& file) {
  return count_text(exploring, file, "mark", "FANOTIFY_MARK");
}

std::string tty_part(const Exploring& exploring, const File& file) {
  const auto& ttys = model_of(exploring.checkpoint).ttys;
  const auto info = ttys.find(static_cast<std::uint32_t>(number_of(file, "tty_info_id")));
  const std::string path = exploring.shown(exploring.checkpoint.path_of(file));
  if (info == ttys.end()) return path;
  static const auto types = find_message("tty_info_entry")->find("type")->enum_values();
  const auto type = std::ranges::find(types, info->second.type, &Name::value);
  const std::string name = type == types.end() ? std::to_string(info->second.type) : std::string{type->name};
  const std::string index = name == "PTY" ? format(" %u", info->second.index) : "";
  return joined({name, index, path.empty() ? "" : " ", path});
}

std::string path_part(const Exploring& exploring, const File& file) {
  return exploring.shown(exploring.checkpoint.path_of(file));
}

std::string namespace_part(const Exploring&, const File& file) {
  constexpr Name flags[] = {{"time", 0x80},     {"mnt", 0x20000},     {"cgroup", 0x2000000}, {"uts", 0x4000000},
                            {"ipc", 0x8000000}, {"user", 0x10000000}, {"pid", 0x20000000},   {"net", 0x40000000}};
  const std::uint64_t flag = number_of(file, "ns_cflag");
  const auto found = std::ranges::find(flags, flag, &Name::value);
  return found == std::end(flags) ? format("0x%lx", flag) : std::string{found->name};
}

std::string timer_part(const Exploring&, const File& file) {
  constexpr Name clocks[] = {
      {"realtime", 0}, {"monotonic", 1}, {"boottime", 7}, {"realtime_alarm", 8}, {"boottime_alarm", 9}};
  const std::uint64_t clock = number_of(file, "clockid");
  const auto found = std::ranges::find(clocks, clock, &Name::value);
  std::string text = found == std::end(clocks) ? format("clock %lu", clock) : std::string{found->name};
  const std::uint64_t seconds = number_of(file, "vsec"), nanoseconds = number_of(file, "vnsec");
  const std::uint64_t every = number_of(file, "isec"), every_ns = number_of(file, "insec");
  if (seconds == 0 && nanoseconds == 0) text += " unset";
  else text += format(" in %lu.%09lus", seconds, nanoseconds);
  if (every != 0 || every_ns != 0) text += format(" every %lu.%09lus", every, every_ns);
  return text;
}

constexpr FileDetail rows[] = {
    {"FIFO", "fifo[{pipe_id} {*}]", path_part},
    {"INETSK", "{*}", socket_part},
    {"EVENTFD", "eventfd[{counter}]", nullptr},
    {"EVENTPOLL", "eventpoll[targets {*}]", epoll_part},
    {"INOTIFY", "inotify[watches {*}]", inotify_part},
    {"SIGNALFD", "signalfd[0x{sigmask:x}]", nullptr},
    {"PACKETSK", "{*}", socket_part},
    {"TTY", "tty[{*}]", tty_part},
    {"FANOTIFY", "fanotify[marks {*}]", fanotify_part},
    {"NETLINKSK", "{*}", socket_part},
    {"NS", "ns[{*} {ns_id}]", namespace_part},
    {"TUNF", "tun[{netdev}]", nullptr},
    {"EXT", "ext[{id}]", nullptr},
    {"TIMERFD", "timerfd[{*}]", timer_part},
    {"MEMFD", "{*}", path_part},
    {"BPFMAP", "bpfmap[{map_name} type {map_type} of {max_entries}]", nullptr},
    {"PIDFD", "pidfd[{nspid}]", nullptr},
};

}  // namespace

const FileDetail* detail_of(std::uint32_t type) {
  const auto found = std::ranges::find(rows, type_name(type), &FileDetail::type);
  return found == std::end(rows) ? nullptr : &*found;
}

std::string endpoint(const std::string& address, std::uint32_t port) {
  const bool is_v6 = address.find(':') != address.npos;
  return joined({is_v6 ? "[" : "", address, is_v6 ? "]:" : ":", port == 0 ? "*" : std::to_string(port)});
}

std::string_view domain_of(std::uint32_t type, std::uint32_t family) {
  switch (type) {
    case type_unix: return "unix";
    case type_netlink: return "netlink";
    case type_packet: return "packet";
    default: return family == AF_INET6 ? "inet6" : "inet";
  }
}

}  // namespace critpipe
