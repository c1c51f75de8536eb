// Inspections with the keys of checkpointctl's `inspect --format json`, for scripts that read it.
#include <algorithm>

#include "base/size_text.hpp"
#include "report/explorers.hpp"
#include "report/inspection_facts.hpp"

namespace critpipe {

namespace {

std::string engine_name(const std::string& engine) {
  if (engine == "podman") return "Podman";
  return engine == "cri-o" ? "CRI-O" : engine;
}

// It has no fractions of seconds.
std::string seconds_of(const std::string& time) {
  const std::size_t point = time.find('.');
  return point == time.npos ? time : time.substr(0, point) + "Z";
}

// Its environment is an object, whose keys a JsonWriter takes only as they are.
bool is_plain_key(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

class Checkpointctl {
 public:
  Checkpointctl(JsonWriter& json, const Exploring& exploring, const Inspection& inspection,
                const InspectionJson& options)
      : json_{json}, exploring_{exploring}, all_{inspection}, options_{options} {}
  void put();

 private:
  void head();
  void networks();
  void sizes();
  void statistics();
  void metadata();
  void tree();
  void process(const InspectedProcess& process);
  void descriptors();
  void sockets();
  void socket(const Socket& socket, std::uint32_t type);
  void port(const char* key, std::uint32_t number) {
    if (number != 0) json_.key(key).number(number);
  }
  void mounts();

  JsonWriter& json_;
  const Exploring& exploring_;
  const Inspection& all_;
  const InspectionJson& options_;
};

void Checkpointctl::head() {
  const Container& container = all_.container;
  put_name(json_, "container_name", container.name);
  put_name(json_, "image", container.image);
  put_name(json_, "id", container.id);
  put_name(json_, "runtime", container.runtime);
  put_name(json_, "created", seconds_of(container.created));
  put_known(json_, "checkpointed", seconds_of(container.dumped));
  put_name(json_, "engine", engine_name(container.engine));
}

void Checkpointctl::networks() {
  const Container& container = all_.container;
  if (container.networks.empty()) return;
  const ContainerNetwork& first = container.networks.front();
  if (!first.addresses.empty())
    put_known(json_, "ip", first.addresses.front().substr(0, first.addresses.front().find('/')));
  put_known(json_, "mac", first.mac);
  json_.key("networks").begin('[');
  for (const ContainerNetwork& network : container.networks) {
    put_name(json_.begin('{'), "name", network.network);
    if (is_plain_key(network.interface)) {
      json_.key("interfaces").begin('{').key(network.interface).begin('{');
      if (!network.addresses.empty()) put_name(json_, "ip", network.addresses.front());
      put_known(json_, "mac", network.mac);
      if (!network.gateways.empty()) put_name(json_, "gateway", network.gateways.front());
      json_.end('}').end('}');
    }
    json_.end('}');
  }
  json_.end(']');
}

void Checkpointctl::sizes() {
  const InspectedSizes& sizes = all_.sizes;
  json_.key("checkpoint_size").begin('{');
  put_known(json_, "total_size", sizes.directory);
  put_known(json_, "memory_pages_size", sizes.pages);
  put_known(json_, "amd_gpu_memory_pages_size", sizes.gpu);
  put_known(json_, "root_fs_diff_size", sizes.root_difference);
  json_.end('}');
}

void Checkpointctl::statistics() {
  if (!all_.statistics) return;
  json_.key("statistics").begin('{');
  for (const char* field :
       {"freezing_time", "frozen_time", "memdump_time", "memwrite_time", "pages_scanned", "pages_written"})
    json_.key(field).number(static_cast<std::uint32_t>(all_.statistics->value(field).value_or(0)));
  json_.end('}');
}

void Checkpointctl::metadata() {
  const Container& container = all_.container;
  if (container.pod.empty() && container.annotations.empty()) return;
  json_.key("metadata").begin('{');
  put_known(json_, "pod_name", container.pod);
  put_known(json_, "kubernetes_namespace", container.pod_namespace);
  if (!container.annotations.empty()) {
    json_.key("annotations").begin('{');
    for (const auto& [key, value] : container.annotations)
      if (is_plain_key(key)) json_.key(key).text(value);
    json_.end('}');
  }
  json_.end('}');
}

void Checkpointctl::process(const InspectedProcess& process) {
  const Task& task = *process.task;
  json_.key("pid").number(task.pid);
  put_name(json_, "command", task.comm);
  if (process.arguments) {
    std::string text;
    for (const std::string& word : *process.arguments) (text += text.empty() ? "" : " ") += word;
    put_name(json_, "cmdline", text);
  }
  std::string state{name_of(task.state)};
  state[0] = static_cast<char>(state[0] - 32);
  json_.key("task_state").text(state);
  if (!options_.environment || !process.environment || process.environment->empty()) return;
  json_.key("environment_variables").begin('{');
  for (const std::string& variable : *process.environment) {
    const std::size_t equals = variable.find('=');
    const std::string_view name = std::string_view{variable}.substr(0, equals);
    if (equals != variable.npos && is_plain_key(name)) json_.key(name).text(variable.substr(equals + 1));
  }
  json_.end('}');
}

void Checkpointctl::tree() {
  const auto& processes = all_.processes;
  if (processes.empty()) return;
  json_.key("process_tree");
  for (std::size_t i = 0; i < processes.size(); ++i) {
    if (i > 0 && processes[i].depth == 0) break;  // it knows one root
    json_.begin('{');
    process(processes[i]);
    const std::size_t depth = processes[i].depth;
    const bool is_last = i + 1 == processes.size() || processes[i + 1].depth == 0;
    const std::size_t next = is_last ? 0 : processes[i + 1].depth;
    if (next > depth) {
      json_.key("children").begin('[');
      continue;
    }
    json_.end('}');
    for (std::size_t level = depth; level > next; --level) json_.end(']').end('}');
    if (is_last) break;
  }
}

void Checkpointctl::descriptors() {
  json_.key("file_descriptors").begin('[');
  for (const InspectedProcess& process : all_.processes) {
    const Task& task = *process.task;
    if (!task.is_running() || !is_chosen(options_.pids, task.pid)) continue;
    json_.begin('{').key("pid").number(task.pid).key("open_files").begin('[');
    const auto put = [&](std::string_view type, const std::string& fd, std::uint32_t kind, std::uint32_t id) {
      json_.begin('{').key("type").text(type).key("fd").text(fd);
      put_name(json_, "path", file_text(exploring_, kind, id));
      json_.end('}');
    };
    for (const Descriptor& descriptor : all_.checkpoint->descriptors(task)) {
      const std::string type{type_name(descriptor.type)};
      put(type, type + " " + std::to_string(descriptor.fd), descriptor.type, descriptor.file_id);
    }
    if (task.has_directories) {
      put("", "cwd", type_reg, task.cwd_id);
      put("", "root", type_reg, task.root_id);
    }
    json_.end(']').end('}');
  }
  json_.end(']');
}

void Checkpointctl::socket(const Socket& socket, std::uint32_t type) {
  const bool is_inet = type == type_inet;
  json_.begin('{');
  if (is_inet) json_.key("protocol").text(protocol_name(socket.family, socket.protocol));
  json_.key("data").begin('{');
  json_.key("type").text(is_inet                ? protocol_name(socket.family, socket.protocol)
                         : type == type_unix    ? "UNIX"
                         : type == type_netlink ? "NETLINK"
                                                : "PACKET");
  if (type == type_unix) put_known(json_, "address", socket.source);
  if (is_inet) {
    if (socket.state != 0) json_.key("state").text(socket_state_name(socket.state));
    put_known(json_, "src", socket.source);
    port("src_port", socket.source_port);
    put_known(json_, "dst", socket.destination);
    port("dst_port", socket.destination_port);
    json_.key("send_buf").text(gocrit_size_text(socket.send_buffer));
    json_.key("recv_buf").text(gocrit_size_text(socket.receive_buffer));
  }
  json_.end('}').end('}');
}

void Checkpointctl::sockets() {
  bool any = false;
  for (const InspectedProcess& process : all_.processes) {
    const Task& task = *process.task;
    if (!task.is_running() || !is_chosen(options_.pids, task.pid)) continue;
    bool is_open = false;
    for (const Descriptor& descriptor : all_.checkpoint->descriptors(task)) {
      const File* file = all_.checkpoint->find_file(descriptor.type, descriptor.file_id);
      const auto found = file ? all_.checkpoint->socket_of(*file) : std::nullopt;
      if (!found) continue;
      if (!std::exchange(any, true)) json_.key("sockets").begin('[');
      if (!std::exchange(is_open, true)) json_.begin('{').key("pid").number(task.pid).key("open_sockets").begin('[');
      socket(*found, descriptor.type);
    }
    if (is_open) json_.end(']').end('}');
  }
  if (any) json_.end(']');
}

void Checkpointctl::mounts() {
  if (all_.container.mounts.empty()) return;
  json_.key("mounts").begin('[');
  for (const ContainerMount& mount : all_.container.mounts) {
    put_name(json_.begin('{'), "destination", mount.destination);
    put_name(json_, "type", mount.type);
    put_name(json_, "source", mount.source);
    json_.end('}');
  }
  json_.end(']');
}

void Checkpointctl::put() {
  json_.begin('{');
  head();
  networks();
  sizes();
  statistics();
  metadata();
  tree();
  descriptors();
  sockets();
  mounts();
  json_.end('}');
}

}  // namespace

void put_checkpointctl(JsonWriter& json, Output& output, const Inspection& inspection, const InspectionJson& options) {
  const ExploreOptions plain{.form = ExploreOptions::Form::json};
  const Exploring exploring{*inspection.checkpoint, plain, output, json};
  Checkpointctl{json, exploring, inspection, options}.put();
}

}  // namespace critpipe
