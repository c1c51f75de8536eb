// The sections of a report: processes, sockets, files, mounts, memory, statistics, configuration.
#include <algorithm>
#include <set>

#include "report/explorers.hpp"
#include "report/inspection_report.hpp"

namespace critpipe {

namespace {

std::string state_mark(const Task& task) {
  if (!task.is_running()) return "Z";
  switch (task.state) {
    case TaskState::stopped: return "T";
    case TaskState::unknown: return "?";
    default: return "";
  }
}

}  // namespace

std::string Report::process_row(const InspectedProcess& process, const std::string& branch) const {
  const Task& task = *process.task;
  std::string row =
      format("%7u %-8s %-1s %4s ", task.pid, user_text(task.credentials).c_str(), state_mark(task).c_str(),
             !task.is_running() ? "-"
             : task.in_tree     ? std::to_string(task.threads.size()).c_str()
                                : "?");
  row += format("%9s  ", task.has_pagemap ? size_text(process.resident_bytes).c_str() : "-");
  row += branch;
  if (!task.is_running()) return row + "[" + visible(task.comm) + "] " + exit_text(task);
  std::string text = visible(command_line(process));
  const bool is_renamed = process.arguments && !process.arguments->empty() && !task.comm.empty() &&
                          process.arguments->front().find(task.comm) == std::string::npos;
  if (is_renamed) text = visible(task.comm) + ": " + text;
  if (process.executable_is_deleted) text = "(deleted) " + text;
  if (task.stop_signal != 0) text += " (stopped by " + signal_name(task, task.stop_signal) + ")";
  return row + text;
}

namespace {

// What a tree draws before a process: whether later ones are at the same depth, below the same parent.
std::vector<std::string> branches_of(const std::vector<InspectedProcess>& processes, bool unicode) {
  constexpr std::size_t deepest = 20;
  const char* const down = unicode ? "\u2502 " : "| ";
  const char* const through = unicode ? "\u251c\u2500" : "|-";
  const char* const end = unicode ? "\u2514\u2500" : "`-";
  std::vector<std::string> all(processes.size());
  std::vector<bool> open;
  for (std::size_t i = processes.size(); i-- > 0;) {
    const std::size_t depth = processes[i].depth;
    if (open.size() <= depth) open.resize(depth + 1, false);
    const bool is_last = !open[depth];
    std::string text;
    for (std::size_t level = 1; level < std::min(depth, deepest); ++level) text += open[level] ? down : "  ";
    if (depth > 0) text += is_last ? end : through;
    all[i] = std::move(text);
    open[depth] = true;
    open.resize(depth + 1);
  }
  return all;
}

}  // namespace

void Report::processes() {
  if (all_.processes.empty()) return;
  head("processes");
  const std::vector<std::string> branches = branches_of(all_.processes, options_.unicode);
  std::size_t most = is_brief() ? limits_.processes : all_.processes.size(), shown = 0, left = 0;
  if (most + 1 == all_.processes.size()) ++most;
  const auto is_asked = [&](const InspectedProcess& one) { return is_chosen(options_.pids, one.task->pid); };
  const std::string of =
      options_.pids.empty() ? "" : std::to_string(std::ranges::count_if(all_.processes, is_asked)) + " of ";
  line(padded("    pid user     s  thr  resident  ", 0) +
       (all_.processes.size() == 1 ? "command" : "command (" + of + plural_processes(all_) + ")"));
  for (std::size_t i = 0; i < all_.processes.size(); ++i) {
    if (!is_chosen(options_.pids, all_.processes[i].task->pid)) continue;
    if (shown == most) {
      ++left;
      continue;
    }
    ++shown;
    line(process_row(all_.processes[i], branches[i]));
    if (is_brief()) continue;
    const Task& task = *all_.processes[i].task;
    for (const Thread& thread : task.threads)
      if (thread.tid != task.pid && task.is_running())
        line(format("%7u %27s", thread.tid, "") + branches[i] + "{" + visible(thread.comm) + "}");
  }
  rest(left, "--processes");
}

std::string Report::socket_row(const InspectedSocket& socket) const {
  std::string state = socket.socket.state == 0 ? "" : lower(socket_state_name(socket.socket.state));
  std::ranges::replace(state, '_', '-');
  const std::string local = visible(address_text(socket, false)), peer = visible(address_text(socket, true));
  std::string text = protocol_text(socket) + " ";
  const std::string owners = owners_text(socket.owners);
  const bool is_unix = socket.type == type_unix;
  if (socket.is_listening()) {
    text += "listens on " + (local.empty() ? "an unnamed socket" : local) + ": " + owners;
  } else if (is_unix && socket.socket.peer != 0) {
    text += local + (local.empty() ? "" : ": ") + owners + " <-> ";
    text += socket.peers.empty() ? format("inode %u, not in the checkpoint", socket.socket.peer)
                                 : owners_text(socket.peers);
  } else if (!is_unix && socket.socket.destination_port != 0) {
    text += local + " <-> " + peer + (socket.peers.empty() ? "" : " (" + owners_text(socket.peers) + ")");
    text += (state == "established" ? "" : " " + state) + ": " + owners;
  } else {
    text +=
        (local.empty() ? "unnamed" : local) + (state.empty() || state == "close" ? "" : " " + state) + ": " + owners;
  }
  if (socket.socket.has_queues && socket.socket.received > 0)
    text += format(", %lu bytes unread", socket.socket.received);
  if (socket.socket.has_queues && socket.socket.sent > 0) text += format(", %lu bytes unsent", socket.socket.sent);
  return text;
}

// Listening ones first, then internet ones before unix ones. On the screen, a pair whose row says all is shown once.
std::vector<const InspectedSocket*> Report::shown_sockets() const {
  std::vector<const InspectedSocket*> shown;
  std::set<std::uint64_t> with_peer;
  for (const InspectedSocket& socket : all_.sockets) {
    if (!is_shown(socket.owners)) continue;
    const bool is_silent = socket.socket.source.empty() && socket.socket.received == 0 && socket.socket.sent == 0;
    const bool is_pair = is_brief() && socket.type == type_unix && !socket.peers.empty();
    if (is_pair && is_silent && with_peer.contains(socket.socket.inode)) continue;
    if (is_pair) with_peer.insert(socket.socket.peer);
    shown.push_back(&socket);
  }
  const auto rank = [](const InspectedSocket* socket) {
    return (socket->is_listening() ? 0 : 4) + (socket->type == type_inet ? 0 : socket->type == type_unix ? 2 : 1);
  };
  std::ranges::stable_sort(shown, {}, rank);
  return shown;
}

void Report::sockets() {
  const std::vector<const InspectedSocket*> shown = shown_sockets();
  if (shown.empty()) return is_brief() ? void() : (head("sockets"), line("  none"));
  head("sockets");
  std::size_t most = is_brief() ? limits_.sockets : shown.size();
  if (most + 1 == shown.size()) ++most;
  for (std::size_t i = 0; i < std::min(most, shown.size()); ++i)
    field(is_brief() ? (i == 0 ? "sockets" : "") : " ", socket_row(*shown[i]));
  rest(shown.size() - std::min(most, shown.size()), "--sockets");
}

namespace {

std::string file_row(const InspectedFile& file, const std::string& owners) {
  std::string text = file.is_written ? file.is_read ? "rw " : "w  " : file.is_read ? "r  " : "-  ";
  text += visible(file.about.empty() ? file.path : file.about);
  if (file.is_deleted) text += " (deleted)";
  if (file.size) text += ", " + size_text(*file.size);
  if (file.position > 0) text += ", at " + with_commas(file.position);
  return text + ": " + owners;
}

}  // namespace

bool Report::is_shown(const InspectedFile& file) const {
  const bool is_device = file.path == "/dev/null" || file.path == "/dev/zero";
  const bool is_notable = (file.is_written || file.is_deleted) && file.about.empty() && !is_device;
  return is_shown(file.owners) && (!is_brief() || is_notable);
}

void Report::files() {
  std::vector<const InspectedFile*> shown;
  for (const InspectedFile& file : all_.files)
    if (is_shown(file)) shown.push_back(&file);
  if (shown.empty()) return is_brief() ? void() : (head("files"), line("  none"));
  head("files");
  std::ranges::stable_sort(shown, {}, [](const InspectedFile* file) { return !file->is_deleted; });
  std::size_t most = is_brief() ? limits_.files : shown.size();
  if (most + 1 == shown.size()) ++most;
  for (std::size_t i = 0; i < std::min(most, shown.size()); ++i)
    field(is_brief() ? (i == 0 ? "files" : "") : " ", file_row(*shown[i], owners_text(shown[i]->owners)));
  rest(shown.size() - std::min(most, shown.size()), "--files");
}

namespace {

// A file or directory of the host that somebody has asked for: not what engines mount into every container.
bool is_of_users(const InspectedMount& mount) {
  constexpr std::string_view usual[] = {"/etc/hostname", "/etc/hosts",         "/etc/resolv.conf",
                                        "/dev/shm",      "/run/.containerenv", "/dev/termination-log"};
  return !mount.host_source.empty() && std::ranges::find(usual, mount.mountpoint) == std::end(usual);
}

}  // namespace

void Report::mounts() {
  if (is_brief()) {
    if (all_.mounts.empty()) return;
    std::string text = std::to_string(all_.mounts.size()), from_host;
    // What is before them, and the hint behind them.
    constexpr std::size_t around = label_columns + std::string_view{"100; from the host: , ...: --mounts"}.size();
    const std::size_t room = options_.columns - std::min(options_.columns, around);
    for (const InspectedMount& mount : all_.mounts) {
      if (!is_of_users(mount)) continue;
      const std::string one = visible(mount.mountpoint) + " = " + visible(mount.host_source);
      const bool fits = !options_.is_cut || from_host.empty() || width_of(from_host) + 2 + width_of(one) <= room;
      from_host += (from_host.empty() ? "" : ", ") + (fits ? one : "...: --mounts");
      if (!fits) break;
    }
    if (!from_host.empty()) text += "; from the host: " + from_host;
    else text += ": --mounts";
    return field("mounts", fitted(text, "--mounts"));
  }
  head("mounts");
  const auto may_be_own = [](const auto& ns) { return ns.kind == "mnt" && !ns.is_hosts.value_or(false); };
  if (all_.mounts.empty() && std::ranges::any_of(all_.namespaces, may_be_own)) return line("  not known");
  if (all_.mounts.empty()) return line("  those of the host: the processes have no mount namespace of their own");
  std::uint32_t ns = all_.mounts.front().ns;
  const bool has_several = std::ranges::any_of(all_.mounts, [&](const auto& mount) { return mount.ns != ns; });
  ns = 0;
  for (const InspectedMount& mount : all_.mounts) {
    if (has_several && std::exchange(ns, mount.ns) != mount.ns) line(format("  in namespace %u:", mount.ns));
    std::string text = "  " + padded(visible(mount.mountpoint), 28) + " " + padded(visible(mount.type), 8);
    text += mount.is_read_only ? " ro " : " rw ";
    if (!mount.host_source.empty()) text += "from " + visible(mount.host_source);
    else if (mount.root != "/") text += visible(mount.source) + " at " + visible(mount.root);
    else text += visible(mount.source);
    if (mount.is_external) text += " (external)";
    line(text);
  }
}

void Report::memory() {
  head("memory");
  line("    pid  resident    stored  mappings       size  name");
  for (const InspectedProcess& process : all_.processes) {
    const Task& task = *process.task;
    if (!task.has_memory || !is_chosen(options_.pids, task.pid)) continue;
    std::uint64_t size = 0;
    for (const Mapping& mapping : task.memory.mappings)
      if (mapping.kind() != Mapping::Kind::guard) size += mapping.end - std::min(mapping.start, mapping.end);
    line(format("%7u %9s %9s %9zu  %9s  ", task.pid, size_text(process.resident_bytes).c_str(),
                size_text(process.stored_bytes).c_str(), task.memory.mappings.size(), size_text(size).c_str()) +
         visible(task.comm));
  }
}

void Report::statistics() {
  head("statistics");
  if (!all_.statistics) return line("  none: the checkpoint has no stats-dump");
  const auto fields = fields_of(Statistics::Of::dump);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto& value = all_.statistics->values[i];
    if (!value) continue;
    const bool is_time = fields[i].unit == StatisticsField::Unit::microseconds;
    line("  " + padded(std::string{fields[i].label}, 28) + " " +
         (is_time ? milliseconds(*value) : with_commas(*value)));
  }
}

void Report::configuration() {
  const Container& container = all_.container;
  head("configuration");
  if (!container.is_known()) return line("  none: no engine has left any");
  const auto put = [&](const char* label, const std::string& text) {
    if (!text.empty()) line("  " + padded(label, 20) + " " + visible(text));
  };
  put("name", container.name);
  put("id", container.id);
  put("image", container.image);
  put("image id", container.image_id);
  put("engine", container.engine);
  put("engine version", container.engine_version);
  put("runtime", container.runtime);
  put("runtime version", container.runtime_version);
  put("created", container.created);
  put("started", container.started);
  put("dumped", container.dumped);
  put("pod", container.pod);
  put("pod namespace", container.pod_namespace);
  put("pod id", container.pod_id);
  put("pod uid", container.pod_uid);
  put("distribution", container.distribution);
  put("user", container.user);
  put("directory", container.working_directory);
  put("cgroup", container.cgroup_path);
  std::string command;
  for (const std::string& word : container.arguments) (command += command.empty() ? "" : " ") += word;
  put("command", command);
  for (const ContainerNetwork& network : container.networks) {
    std::string text = network.network + " " + network.interface;
    for (const std::string& address : network.addresses) text += " " + address;
    for (const std::string& gateway : network.gateways) text += " via " + gateway;
    put("network", text + (network.mac.empty() ? "" : " " + network.mac));
  }
  for (const auto& [key, value] : container.labels) put("label", key + "=" + value);
  for (const auto& [key, value] : container.annotations) put("annotation", key + "=" + value);
}

void Report::environment() {
  head("environment");
  for (const InspectedProcess& process : all_.processes) {
    const Task& task = *process.task;
    if (!task.is_running() || !is_chosen(options_.pids, task.pid)) continue;
    line(format("%7u ", task.pid) + visible(task.comm) + (process.environment ? "" : ": not in reach"));
    if (process.environment)
      for (const std::string& variable : *process.environment) line("          " + visible(variable));
  }
}

}  // namespace critpipe
