#include "report/inspection_facts.hpp"

#include <algorithm>

#include "report/explorers.hpp"
#include "report/file_details.hpp"

namespace critpipe {

void put_known(JsonWriter& json, const char* key, const std::string& text) {
  if (!text.empty()) put_name(json, key, text);
}

void put_known(JsonWriter& json, const char* key, std::uint64_t number) {
  if (number != 0) json.key(key).number(number);
}

void put_numbers(JsonWriter& json, const char* key, std::span<const std::uint32_t> numbers, bool is_line) {
  put_nested(json, key, is_line, [numbers](JsonWriter& list) {
    list.begin('[');
    for (const std::uint32_t number : numbers) list.number(number);
    list.end(']');
  });
}

std::string_view what_it_is(const Inspection& inspection) {
  const SetKind kind = inspection.checkpoint->kind();
  if (kind == SetKind::pre_dump || kind == SetKind::pages) return name_of(kind);
  return inspection.container.is_known() ? "container" : "processes";
}

namespace {

void put_pairs(JsonWriter& json, const char* key, const std::map<std::string, std::string>& pairs) {
  if (pairs.empty()) return;
  json.key(key).begin('[');
  for (const auto& [name, value] : pairs) {
    put_name(json.begin('{'), "name", name);
    put_name(json, "value", value);
    json.end('}');
  }
  json.end(']');
}

void put_list(JsonWriter& json, const char* key, std::span<const std::string> texts) {
  if (!texts.empty()) put_names(json, key, texts);
}

void put_capabilities(JsonWriter& json, const char* key, std::uint64_t set, bool is_line) {
  put_nested(json, key, is_line, [set](JsonWriter& list) {
    list.begin('[');
    for (std::size_t i = 0; i < 64; ++i)
      if (const std::uint64_t one = std::uint64_t{1} << i; set & one) list.text(capability_names(one));
    list.end(']');
  });
}

void put_credentials(JsonWriter& json, const Credentials& own, bool is_line) {
  json.key("uid").number(own.uid).key("gid").number(own.gid);
  json.key("euid").number(own.euid).key("egid").number(own.egid);
  put_numbers(json, "groups", own.groups, is_line);
  put_capabilities(json, "capabilities", own.effective, is_line);
  put_capabilities(json, "capabilities_permitted", own.permitted, is_line);
  put_capabilities(json, "capabilities_inheritable", own.inheritable, is_line);
  put_capabilities(json, "capabilities_bounding", own.bounding, is_line);
  json.key("no_new_privileges").boolean(own.no_new_privileges);
  put_known(json, "lsm_profile", own.lsm_profile);
}

}  // namespace

void put_container(JsonWriter& json, const Container& container, bool environment) {
  put_known(json, "engine", container.engine);
  put_known(json, "engine_version", container.engine_version);
  put_known(json, "name", container.name);
  put_known(json, "id", container.id);
  put_known(json, "image", container.image);
  put_known(json, "image_id", container.image_id);
  put_known(json, "runtime", container.runtime);
  put_known(json, "runtime_version", container.runtime_version);
  put_known(json, "created", container.created);
  put_known(json, "started", container.started);
  put_known(json, "dumped", container.dumped);
  put_known(json, "pod", container.pod);
  put_known(json, "pod_id", container.pod_id);
  put_known(json, "pod_uid", container.pod_uid);
  put_known(json, "pod_namespace", container.pod_namespace);
  put_known(json, "user", container.user);
  put_known(json, "working_directory", container.working_directory);
  put_known(json, "cgroup_path", container.cgroup_path);
  put_list(json, "command", container.arguments);
  if (environment) put_list(json, "environment", container.environment);
  if (!container.networks.empty()) {
    json.key("networks").begin('[');
    for (const ContainerNetwork& network : container.networks) {
      json.begin('{');
      put_known(json, "network", network.network);
      put_known(json, "interface", network.interface);
      put_list(json, "addresses", network.addresses);
      put_list(json, "gateways", network.gateways);
      put_known(json, "mac", network.mac);
      json.end('}');
    }
    json.end(']');
  }
  put_pairs(json, "labels", container.labels);
  put_pairs(json, "annotations", container.annotations);
}

void put_host(JsonWriter& json, const Inspection& inspection) {
  const Container& container = inspection.container;
  put_known(json, "name", container.host);
  put_known(json, "kernel", container.kernel);
  put_known(json, "architecture", container.architecture);
  if (const auto* root = inspection.root()) put_known(json, "machine", std::string{root->task->machine});
  put_known(json, "distribution", container.distribution);
  put_known(json, "cgroup_version", container.cgroup_version);
}

void put_sizes(JsonWriter& json, const InspectedSizes& sizes) {
  if (sizes.input > 0) json.key("input_bytes").number(sizes.input);
  json.key("total_bytes").number(sizes.total);
  json.key("image_bytes").number(sizes.images);
  json.key("page_bytes").number(sizes.pages);
  put_known(json, "parent_page_bytes", sizes.parent_pages);
  put_known(json, "lazy_page_bytes", sizes.lazy_pages);
  put_known(json, "root_difference_bytes", sizes.root_difference);
  put_known(json, "shared_file_bytes", sizes.shared_files);
  put_known(json, "volume_bytes", sizes.volumes);
  put_known(json, "gpu_bytes", sizes.gpu);
}

void put_page_sizes(JsonWriter& json, const InspectedSizes& sizes) {
  json.key("pages").begin('[');
  for (const auto& [kind, bytes] : sizes.pages_by_kind)
    json.begin('{').key("kind").text(kind).key("bytes").number(bytes).end('}');
  json.end(']');
}

void put_process(JsonWriter& json, const InspectedProcess& process, bool environment, bool is_line) {
  const Task& task = *process.task;
  json.key("pid").number(task.pid);
  if (task.in_tree) json.key("ppid").number(task.ppid).key("pgid").number(task.pgid).key("sid").number(task.sid);
  if (task.state != TaskState::unknown || !task.comm.empty()) put_name(json, "comm", task.comm);
  json.key("state").text(name_of(task.state));
  if (!task.is_running()) json.key("exit").text(exit_text(task));
  if (task.stop_signal != 0) json.key("stop_signal").text(signal_name(task, task.stop_signal));
  if (!process.executable.empty()) {
    put_name(json, "executable", process.executable);
    json.key("executable_deleted").boolean(process.executable_is_deleted);
  }
  if (!process.working_directory.empty()) {
    put_name(json, "working_directory", process.working_directory);
    json.key("working_directory_deleted").boolean(process.working_directory_is_deleted);
  }
  put_known(json, "root", process.root);
  if (process.arguments && is_line) put_name(json, "command", shell_text(*process.arguments));
  else if (process.arguments) put_names(json, "command", *process.arguments);
  if (task.credentials.is_known) {
    put_credentials(json, task.credentials, is_line);
    json.key("seccomp").text(seccomp_text(task.credentials));
  }
  if (task.has_pagemap)
    json.key("resident_bytes").number(process.resident_bytes).key("stored_bytes").number(process.stored_bytes);
  if (task.in_tree)
    json.key("nr_threads").number(static_cast<std::uint32_t>(task.is_running() ? task.threads.size() : 0));
  if (!environment || !process.environment) return;
  if (is_line) put_name(json, "environment", shell_text(*process.environment));
  else put_names(json, "environment", *process.environment);
}

void put_owners(JsonWriter& json, const char* key, const Inspection& inspection, const std::vector<Owner>& owners) {
  json.key(key).begin('[');
  for (const Owner& owner : owners) {
    json.begin('{').key("pid").number(owner.pid).key("fd").number(owner.fd);
    put_name(json, "comm", inspection.comm_of(owner.pid));
    json.end('}');
  }
  json.end(']');
}

void put_socket(JsonWriter& json, const InspectedSocket& inspected) {
  const Socket& socket = inspected.socket;
  json.key("fd_type").text(type_name(inspected.type)).key("domain").text(domain_of(inspected.type, socket.family));
  if (socket.type != 0) json.key("type").text(socket_type_name(socket.type));
  if (inspected.type != type_unix) json.key("protocol").text(protocol_name(socket.family, socket.protocol));
  if (socket.state != 0) json.key("state").text(socket_state_name(socket.state));
  if (inspected.type == type_inet) {
    json.key("local_address").text(socket.source);
    if (socket.source_port != 0) json.key("port").number(socket.source_port);
    if (socket.destination_port != 0)
      json.key("peer_address").text(socket.destination).key("peer_port").number(socket.destination_port);
  } else if (inspected.type == type_unix) {
    put_known(json, "name", address_text(inspected, false));
  }
  put_known(json, "inode", socket.inode);
  put_known(json, "peer_inode", socket.peer);
  if (socket.has_queues)
    json.key("receive_queue_bytes").number(socket.received).key("send_queue_bytes").number(socket.sent);
}

void put_file(JsonWriter& json, const InspectedFile& file) {
  const bool is_plain = file.about.empty();
  json.key("fd_type").text(file.type);
  put_known(json, "path", file.path);
  put_known(json, "about", file.about);
  json.key("deleted").boolean(file.is_deleted);
  if (file.flags) {
    json.key("readable").boolean(file.is_read).key("writable").boolean(file.is_written);
    json.key("open_flags").number(*file.flags);
  }
  if (is_plain) json.key("position").number(file.position);
  if (file.size) json.key("size_bytes").number(*file.size);
}

void put_mount(JsonWriter& json, const InspectedMount& mount) {
  put_name(json, "mountpoint", mount.mountpoint);
  put_name(json, "filesystem", mount.type);
  put_name(json, "source", mount.source);
  put_name(json, "root", mount.root);
  put_known(json, "host_source", mount.host_source);
  put_name(json, "options", mount.options);
  json.key("read_only").boolean(mount.is_read_only).key("external").boolean(mount.is_external);
  json.key("mount_namespace").number(mount.ns);
}

void put_namespace(JsonWriter& json, const InspectedNamespace& ns) {
  json.key("kind").text(ns.kind).key("id").number(ns.id);
  if (ns.is_hosts) json.key("of_host").boolean(*ns.is_hosts);
  json.key("nr_processes").number(static_cast<std::uint32_t>(ns.nr_processes));
}

}  // namespace critpipe
