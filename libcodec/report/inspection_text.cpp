// An inspection as people read it.
#include <algorithm>
#include <cmath>

#include "report/explorers.hpp"
#include "report/inspection_work.hpp"

namespace critpipe {

namespace {

using Section = InspectionText::Section;

// How many rows the sections of the screen that is shown by default may take.
constexpr std::size_t brief_processes = 8, brief_sockets = 4, brief_files = 3, brief_attention = 5;
constexpr std::size_t label_columns = 11;

// Columns that a terminal needs for it: all but the bytes that continue a character of UTF-8. Wide characters count
// one.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string cut(std::string text, std::size_t columns) {
  if (width_of(text) <= columns || columns < 4) return text;
  std::size_t at = 0;
  for (std::size_t seen = 0; at < text.size(); ++at) {
    if ((text[at] & 0xc0) == 0x80) continue;
    if (seen++ == columns - 3) break;
  }
  return text.substr(0, at) + "...";
}

std::string padded(std::string text, std::size_t columns) {
  const std::size_t width = width_of(text);
  if (width < columns) text.append(columns - width, ' ');
  return text;
}

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string counted(std::uint64_t number, const char* what, const char* plural = nullptr) {
  return with_commas(number) + " " + (number == 1 ? what : plural ? plural : std::string{what} + "s");
}

std::string milliseconds(std::uint64_t microseconds) {
  return microseconds < 10000000 ? format("%.1f ms", static_cast<double>(microseconds) / 1000)
                                 : format("%.1f s", static_cast<double>(microseconds) / 1000000);
}

// "2026-11-26T06:13:28.805822117Z" without what is below a second.
std::string time_text(const std::string& time) {
  const std::size_t point = time.find('.');
  if (point == time.npos) return visible(time);
  const std::size_t zone = time.find_first_not_of("0123456789", point + 1);
  return visible(time.substr(0, point) + (zone == time.npos ? "" : time.substr(zone)));
}

class Report {
 public:
  Report(Output& output, const Inspection& inspection, const InspectionText& options)
      : output_{output}, all_{inspection}, options_{options} {}
  void print();

 private:
  bool is_brief() const { return options_.sections == 0; }
  bool has(Section section) const { return options_.sections & section; }
  void line(const std::string& text) { output_.write((options_.is_cut ? cut(text, options_.columns) : text) + "\n"); }
  void field(const char* label, const std::string& text);
  void rest(std::size_t left, const char* option, std::size_t indent = label_columns);
  void head(const char* title) {
    if (!is_brief()) output_.write(std::string{"\n"} + title + "\n");
  }
  std::string owners_text(const std::vector<Owner>& owners) const;
  bool is_shown(const std::vector<Owner>& owners) const;

  void title();
  void container();
  void times();
  void sizes();
  void processes();
  void sockets();
  void files();
  void mounts();
  void namespaces();
  void rights();
  void attention();
  void memory();
  void statistics();
  void configuration();
  void environment();
  std::string process_row(const InspectedProcess& process, const std::string& branch) const;
  std::string socket_row(const InspectedSocket& socket) const;

  Output& output_;
  const Inspection& all_;
  const InspectionText& options_;
};

void Report::field(const char* label, const std::string& text) { line(padded(label, label_columns) + text); }

void Report::rest(std::size_t left, const char* option, std::size_t indent) {
  if (left > 0) line(std::string(indent, ' ') + "and " + with_commas(left) + " more: " + option);
}

std::string Report::owners_text(const std::vector<Owner>& owners) const {
  std::string text;
  constexpr std::size_t most = 3;
  std::size_t count = 0;
  std::uint32_t last = 0;
  for (const Owner& owner : owners) {
    if (owner.pid == last) continue;
    last = owner.pid;
    if (++count > most && options_.is_cut) continue;
    text += (text.empty() ? "" : ", ") + visible(all_.comm_of(owner.pid)) + " " + std::to_string(owner.pid);
  }
  if (count > most && options_.is_cut) text += format(", +%zu", count - most);
  return text;
}

bool Report::is_shown(const std::vector<Owner>& owners) const {
  return std::ranges::any_of(owners, [&](const Owner& owner) { return is_chosen(options_.pids, owner.pid); });
}

std::string plural_processes(const Inspection& all) {
  std::string text = counted(all.processes.size(), "process", "processes");
  if (all.nr_threads > all.processes.size()) text += ", " + counted(all.nr_threads, "thread");
  return text;
}

std::string criu_text(const Container& container) {
  return container.criu_version.empty() ? "CRIU" : "CRIU " + visible(container.criu_version);
}

void Report::title() {
  const Container& container = all_.container;
  if (container.is_known()) {
    std::string text = visible(container.name.empty() ? container.id.substr(0, 12) : container.name);
    if (!container.pod.empty()) {
      text += " in pod " + visible(container.pod);
      if (!container.pod_namespace.empty()) text += " of namespace " + visible(container.pod_namespace);
    }
    field("container", text);
    return;
  }
  const std::string_view pages_only = all_.checkpoint->pages_only();
  if (all_.processes.empty() && !pages_only.empty()) return field("checkpoint", std::string{pages_only});
  std::string text = plural_processes(all_) + " dumped by " + criu_text(container);
  const bool has_own = std::ranges::any_of(
      all_.namespaces, [](const auto& ns) { return ns.kind == "pid" && ns.is_hosts && !*ns.is_hosts; });
  text += has_own ? " from a pid namespace of its own" : " from the host";
  field("checkpoint", text);
}

void Report::container() {
  const Container& container = all_.container;
  if (!container.image.empty()) field("image", visible(container.image));
  if (container.is_known()) {
    std::string text = visible(container.engine);
    if (!container.engine_version.empty()) text += " " + visible(container.engine_version);
    if (!container.runtime.empty()) text += (text.empty() ? "" : ", ") + visible(container.runtime);
    text += (text.empty() ? "" : ", ") + criu_text(container);
    if (!container.id.empty()) text += "; id " + visible(container.id.substr(0, 12));
    field("engine", text);
  }
  std::string text = all_.hostname.empty() ? "" : "name " + visible(all_.hostname);
  const auto add = [&](const std::string& part) {
    if (!part.empty()) text += (text.empty() ? "" : ", ") + part;
  };
  for (const ContainerNetwork& network : container.networks)
    for (const std::string& address : network.addresses) add(visible(address));
  if (!container.host.empty()) add("on " + visible(container.host));
  if (!container.kernel.empty()) add("kernel " + visible(container.kernel));
  if (const auto* root = all_.root(); root && !root->task->machine.empty()) {
    std::string machine{root->task->machine};
    std::ranges::transform(machine, machine.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    add(machine);
  }
  if (!text.empty()) field("host", text);
}

void Report::times() {
  std::string text;
  const auto add = [&](const char* what, const std::string& time) {
    if (!time.empty()) text += (text.empty() ? "" : ", ") + std::string{what} + time_text(time);
  };
  add("created ", all_.container.created);
  add("dumped ", all_.container.dumped);
  if (all_.statistics) {
    if (const auto frozen = all_.statistics->value("frozen_time"))
      text += (text.empty() ? "" : ", ") + std::string{"frozen "} + milliseconds(*frozen);
  }
  if (!text.empty()) field("time", text);
}

void Report::sizes() {
  const InspectedSizes& sizes = all_.sizes;
  std::string text;
  if (sizes.input > 0) text = size_text(sizes.input) + (sizes.input < sizes.total ? " packed, " : ", ");
  text += size_text(sizes.total) + (sizes.input > 0 ? " in it" : "") + ": pages " + size_text(sizes.pages);
  if (sizes.root_difference > 0) text += ", changed files " + size_text(sizes.root_difference);
  if (sizes.volumes > 0) text += ", volumes " + size_text(sizes.volumes);
  if (sizes.gpu > 0) text += ", GPU " + size_text(sizes.gpu);
  field("size", text);
  std::vector<std::pair<std::uint64_t, std::string>> kinds;
  for (const auto& [kind, bytes] : sizes.pages_by_kind) kinds.push_back({bytes, kind});
  std::ranges::sort(kinds, std::greater{});
  text.clear();
  for (const auto& [bytes, kind] : kinds) text += (text.empty() ? "" : ", ") + kind + " " + size_text(bytes);
  if (sizes.parent_pages > 0) text += (text.empty() ? "" : "; ") + size_text(sizes.parent_pages) + " in the parent";
  if (sizes.lazy_pages > 0) text += (text.empty() ? "" : "; ") + size_text(sizes.lazy_pages) + " left on the source";
  if (!text.empty()) field("pages", text);
}

std::string state_mark(const Task& task) {
  if (!task.is_running()) return "Z";
  switch (task.state) {
    case TaskState::stopped: return "T";
    case TaskState::unknown: return "?";
    default: return "";
  }
}

std::string Report::process_row(const InspectedProcess& process, const std::string& branch) const {
  const Task& task = *process.task;
  std::string row =
      format("%7u %-8s %-1s %4s ", task.pid, user_text(task.credentials).c_str(), state_mark(task).c_str(),
             task.is_running() ? std::to_string(task.threads.size()).c_str() : "-");
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

void Report::processes() {
  if (all_.processes.empty()) return;
  head("processes");
  const std::vector<std::string> branches = branches_of(all_.processes, options_.unicode);
  std::size_t most = is_brief() ? brief_processes : all_.processes.size(), shown = 0, left = 0;
  if (most + 1 == all_.processes.size()) ++most;
  line(padded("    pid user     s  thr  resident  ", 0) +
       (all_.processes.size() == 1 ? "command" : "command (" + plural_processes(all_) + ")"));
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
        line(format("%7u %31s", thread.tid, "") + branches[i] + "{" + visible(thread.comm) + "}");
  }
  rest(left, "--processes");
}

std::string Report::socket_row(const InspectedSocket& socket) const {
  std::string state = socket.socket.state == 0 ? "" : socket_state_name(socket.socket.state);
  std::ranges::transform(state, state.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c == '_' ? '-' : c;
  });
  const std::string local = visible(address_text(socket, false)), peer = visible(address_text(socket, true));
  std::string text = padded(protocol_text(socket), 9) + " ";
  const bool is_connected = socket.socket.destination_port != 0 || socket.socket.peer != 0;
  if (socket.is_listening()) text += "listens on " + (local.empty() ? std::string{"an unnamed socket"} : local);
  else if (!is_connected)
    text += (local.empty() ? "unnamed" : local) + " " + (state == "close" ? "unconnected" : state);
  else {
    text += local + (local.empty() ? "" : " ") + "<-> ";
    const bool is_unix = socket.socket.destination_port == 0;
    if (is_unix && socket.peers.empty()) text += format("inode %u, not in the checkpoint", socket.socket.peer);
    else if (is_unix) text += owners_text(socket.peers);
    else text += peer + (socket.peers.empty() ? "" : " (" + owners_text(socket.peers) + ")");
    if (state != "established") text += " " + state;
  }
  if (socket.socket.has_queues && socket.socket.received + socket.socket.sent > 0)
    text += format(", %lu bytes to read, %lu to send", socket.socket.received, socket.socket.sent);
  return owners_text(socket.owners) + ": " + text;
}

void Report::sockets() {
  std::vector<const InspectedSocket*> shown;
  for (const InspectedSocket& socket : all_.sockets)
    if (is_shown(socket.owners)) shown.push_back(&socket);
  if (shown.empty()) return is_brief() ? void() : (head("sockets"), line("  none"));
  head("sockets");
  // Listening ones first, then internet ones before unix ones.
  const auto rank = [](const InspectedSocket* socket) {
    return (socket->is_listening() ? 0 : 4) + (socket->type == type_inet ? 0 : socket->type == type_unix ? 2 : 1);
  };
  std::ranges::stable_sort(shown, {}, rank);
  std::size_t most = is_brief() ? brief_sockets : shown.size();
  if (most + 1 == shown.size()) ++most;
  for (std::size_t i = 0; i < std::min(most, shown.size()); ++i)
    field(is_brief() ? (i == 0 ? "sockets" : "") : " ", socket_row(*shown[i]));
  rest(shown.size() - std::min(most, shown.size()), "--sockets");
}

std::string file_row(const InspectedFile& file, const std::string& owners) {
  std::string text = file.is_written ? file.is_read ? "rw " : "w  " : "r  ";
  text += visible(file.path);
  if (file.is_deleted) text += " (deleted)";
  if (file.size) text += ", " + size_text(*file.size);
  if (file.position > 0) text += ", at " + with_commas(file.position);
  return text + ": " + owners;
}

void Report::files() {
  const auto is_device = [](const InspectedFile& file) { return file.path == "/dev/null" || file.path == "/dev/zero"; };
  std::vector<const InspectedFile*> shown;
  for (const InspectedFile& file : all_.files)
    if (is_shown(file.owners) && (!is_brief() || ((file.is_written || file.is_deleted) && !is_device(file))))
      shown.push_back(&file);
  if (shown.empty()) return is_brief() ? void() : (head("files"), line("  none"));
  head("files");
  std::ranges::stable_sort(shown, {}, [](const InspectedFile* file) { return !file->is_deleted; });
  std::size_t most = is_brief() ? brief_files : shown.size();
  if (most + 1 == shown.size()) ++most;
  for (std::size_t i = 0; i < std::min(most, shown.size()); ++i)
    field(is_brief() ? (i == 0 ? "files" : "") : " ", file_row(*shown[i], owners_text(shown[i]->owners)));
  rest(shown.size() - std::min(most, shown.size()), "--files");
}

void Report::mounts() {
  if (is_brief()) {
    if (all_.mounts.empty()) return;
    std::string text = std::to_string(all_.mounts.size());
    std::string from_host;
    for (const InspectedMount& mount : all_.mounts)
      if (!mount.host_source.empty() && !mount.host_source.starts_with("/run/") &&
          mount.host_source.find("/containers/") == std::string::npos &&
          mount.host_source.find("-containers/") == std::string::npos)
        from_host += (from_host.empty() ? "" : ", ") + visible(mount.mountpoint) + " = " + visible(mount.host_source);
    if (!from_host.empty()) text += "; from the host: " + from_host;
    else text += ": --mounts";
    return field("mounts", text);
  }
  head("mounts");
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

void Report::namespaces() {
  std::string own, hosts, unknown;
  for (const NamespaceKind& kind : namespace_kinds()) {
    std::size_t count = 0;
    bool any_own = false, any_host = false;
    for (const InspectedNamespace& ns : all_.namespaces) {
      if (ns.kind != kind.kind) continue;
      ++count;
      any_own |= ns.is_hosts && !*ns.is_hosts;
      any_host |= ns.is_hosts && *ns.is_hosts;
    }
    if (count == 0) continue;
    std::string& list = any_own ? own : any_host ? hosts : unknown;
    list += (list.empty() ? "" : " ") + std::string{kind.kind};
    if (count > 1) list += format(" (%zu)", count);
  }
  std::string text = own.empty() ? "" : "own " + own;
  if (!hosts.empty()) text += (text.empty() ? "" : "; the host's ") + (own.empty() ? "the host's " + hosts : hosts);
  if (!unknown.empty()) text += (text.empty() ? "" : "; not known: ") + unknown;
  if (!text.empty()) field("namespaces", text);
}

void Report::rights() {
  // Processes with the same rights share a line.
  std::vector<std::pair<std::string, std::vector<const InspectedProcess*>>> groups;
  for (const InspectedProcess& process : all_.processes) {
    const Credentials& own = process.task->credentials;
    if (!own.is_known || !process.task->is_running() || !is_chosen(options_.pids, process.task->pid)) continue;
    const std::size_t count = nr_capabilities(own.effective);
    std::string names = capability_names(own.effective);
    constexpr std::size_t few = 4;
    if (is_brief() && count > few && names != "all") {
      std::string notable;
      for (const std::string_view name :
           {"sys_admin", "sys_ptrace", "sys_module", "net_admin", "net_raw", "bpf", "mknod"})
        if (has_capability(own.effective, name)) notable += (notable.empty() ? "" : " ") + std::string{name};
      names = std::to_string(count) + (notable.empty() ? "" : " with " + notable);
    }
    std::string text = "capabilities " + names + "; seccomp " + seccomp_text(own);
    if (own.no_new_privileges) text += "; no new privileges";
    if (!own.lsm_profile.empty()) text += "; " + visible(own.lsm_profile);
    const auto known = std::ranges::find(groups, text, &decltype(groups)::value_type::first);
    if (known != groups.end()) known->second.push_back(&process);
    else groups.push_back({text, {&process}});
  }
  std::size_t most = is_brief() ? 2 : groups.size();
  for (std::size_t i = 0; i < std::min(most, groups.size()); ++i) {
    std::string text = groups[i].first;
    if (groups.size() > 1) {
      const Task& first = *groups[i].second.front()->task;
      text = visible(first.comm) + format(" %u", first.pid) +
             (groups[i].second.size() > 1 ? format(" and %zu more", groups[i].second.size() - 1) : "") + ": " + text;
    }
    field(i == 0 ? "rights" : "", text);
  }
  rest(groups.size() - std::min(most, groups.size()), "--configuration");
}

void Report::attention() {
  if (all_.attention.empty()) return;
  if (!is_brief()) head("attention");
  std::size_t most = is_brief() ? brief_attention : all_.attention.size();
  if (most + 1 == all_.attention.size()) ++most;
  for (std::size_t i = 0; i < std::min(most, all_.attention.size()); ++i) {
    const Attention& one = all_.attention[i];
    std::string text = one.text;
    if (!one.pids.empty() && one.pids.size() < all_.processes.size()) {
      text += " (";
      for (std::size_t p = 0; p < std::min<std::size_t>(3, one.pids.size()); ++p)
        text += (p == 0 ? "" : ", ") + visible(all_.comm_of(one.pids[p])) + format(" %u", one.pids[p]);
      text += one.pids.size() > 3 ? format(", +%zu)", one.pids.size() - 3) : ")";
    }
    field(is_brief() ? (i == 0 ? "attention" : "") : " ", text);
  }
  rest(all_.attention.size() - std::min(most, all_.attention.size()), "--summary");
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
  const auto put = [&](const char* label, const std::string& text) {
    if (!text.empty()) line("  " + padded(label, 20) + " " + visible(text));
  };
  put("id", container.id);
  put("image id", container.image_id);
  put("runtime version", container.runtime_version);
  put("started", container.started);
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

void Report::print() {
  if (is_brief() || has(Section::summary)) {
    title();
    container();
    times();
    sizes();
    namespaces();
    rights();
  }
  if (is_brief() || has(Section::processes)) processes();
  if (is_brief() || has(Section::sockets)) sockets();
  if (is_brief() || has(Section::files)) files();
  if (is_brief() || has(Section::mounts)) mounts();
  if (has(Section::memory)) memory();
  if (has(Section::statistics)) statistics();
  if (has(Section::configuration)) configuration();
  if (has(Section::environment)) environment();
  if (is_brief() || has(Section::summary)) attention();
}

}  // namespace

void print_inspection(Output& output, const Inspection& inspection, const InspectionText& options) {
  Report{output, inspection, options}.print();
}

}  // namespace critpipe
