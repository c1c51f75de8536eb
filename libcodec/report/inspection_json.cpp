// Inspections as one JSON document, and as lines of flat objects.
#include <algorithm>

#include "report/explorers.hpp"
#include "report/inspection_facts.hpp"
#include "report/put_figures.hpp"

namespace critpipe {

namespace {

template <typename Items, typename Put>
void put_all(JsonWriter& json, const char* key, const Items& items, Put put) {
  json.key(key).begin('[');
  for (const auto& item : items) put(item);
  json.end(']');
}

void put_attention(JsonWriter& json, const Attention& attention, bool is_line) {
  json.key("code").text(attention.code).key("text").text(attention.text);
  put_numbers(json, "pids", attention.pids, is_line);
}

void put_counts(JsonWriter& json, const Inspection& all) {
  if (all.knows_processes()) json.key("nr_processes").number(static_cast<std::uint32_t>(all.nr_processes));
  if (all.nr_threads) json.key("nr_threads").number(static_cast<std::uint32_t>(*all.nr_threads));
  json.key("nr_parents").number(static_cast<std::uint32_t>(all.nr_parents));
}

class Document {
 public:
  Document(JsonWriter& json, const Inspection& inspection, const InspectionJson& options)
      : json_{json}, all_{inspection}, options_{options} {}
  void put();

 private:
  bool is_shown(std::uint32_t pid) const { return is_chosen(options_.pids, pid); }
  bool is_shown(const std::vector<Owner>& owners) const {
    return std::ranges::any_of(owners, [&](const Owner& owner) { return is_shown(owner.pid); });
  }
  void processes();
  void threads(const Task& task);

  JsonWriter& json_;
  const Inspection& all_;
  const InspectionJson& options_;
};

void Document::threads(const Task& task) {
  json_.key("threads").begin('[');
  for (const Thread& thread : task.threads) {
    if (!task.is_running()) break;
    json_.begin('{').key("tid").number(thread.tid);
    put_known(json_, "comm", thread.comm);
    json_.end('}');
  }
  json_.end(']');
}

void Document::processes() {
  put_all(json_, "processes", all_.processes, [&](const InspectedProcess& process) {
    const Task& task = *process.task;
    if (!is_shown(task.pid)) return;
    put_process(json_.begin('{'), process, options_.environment, false);
    if (task.in_tree) threads(task);
    json_.end('}');
  });
}

void Document::put() {
  put_set(json_.begin('{'), all_.id).key("what").text(what_it_is(all_));
  if (all_.container.is_known()) {
    put_container(json_.key("container").begin('{'), all_.container, options_.environment);
    json_.end('}');
  }
  put_known(json_, "criu_version", all_.container.criu_version);
  put_known(json_, "hostname", all_.hostname);
  put_host(json_.key("host").begin('{'), all_);
  json_.end('}').key("page_size").number(all_.checkpoint->page_size());
  put_sizes(json_.key("sizes").begin('{'), all_.sizes);
  put_page_sizes(json_, all_.sizes);
  json_.end('}');
  if (all_.statistics) {
    put_figures(json_.key("statistics").begin('{'), *all_.statistics);
    json_.end('}');
  }
  put_counts(json_, all_);
  processes();
  put_all(json_, "sockets", all_.sockets, [&](const InspectedSocket& socket) {
    if (!is_shown(socket.owners)) return;
    put_socket(json_.begin('{'), socket);
    put_owners(json_, "owners", all_, socket.owners);
    put_owners(json_, "peers", all_, socket.peers);
    json_.end('}');
  });
  put_all(json_, "files", all_.files, [&](const InspectedFile& file) {
    if (!is_shown(file.owners)) return;
    put_file(json_.begin('{'), file);
    put_owners(json_, "owners", all_, file.owners);
    json_.end('}');
  });
  put_all(json_, "mounts", all_.mounts, [&](const InspectedMount& mount) {
    put_mount(json_.begin('{'), mount);
    json_.end('}');
  });
  put_all(json_, "namespaces", all_.namespaces, [&](const InspectedNamespace& ns) {
    put_namespace(json_.begin('{'), ns);
    json_.end('}');
  });
  put_all(json_, "attention", all_.attention, [&](const Attention& attention) {
    const auto chosen = chosen_of(attention, options_.pids);
    if (!chosen) return;
    put_attention(json_.begin('{'), *chosen, false);
    json_.end('}');
  });
  put_all(json_, "errors", all_.errors, [&](const Error& error) { json_.text(to_string(error)); });
  json_.end('}');
}

// An object of a line, which the caller fills and ends.
class Lines {
 public:
  Lines(Output& output, const Inspection& inspection, const InspectionJson& options)
      : json_{output, false, options.big_numbers}, all_{inspection} {}
  JsonWriter& begin(std::string_view record) { return put_set(json_.begin('{'), all_.id).key("record").text(record); }
  void end() { json_.end('}').line_end(); }
  void owner(const Owner& owner) {
    json_.key("pid").number(owner.pid).key("fd").number(owner.fd);
    put_name(json_, "comm", all_.comm_of(owner.pid));
  }

 private:
  JsonWriter json_;
  const Inspection& all_;
};

void put_checkpoint(JsonWriter& json, const Inspection& all) {
  const Container& container = all.container;
  json.key("what").text(what_it_is(all));
  put_known(json, "engine", container.engine);
  put_known(json, "engine_version", container.engine_version);
  put_known(json, "runtime", container.runtime);
  put_known(json, "container", container.name);
  put_known(json, "container_id", container.id);
  put_known(json, "image", container.image);
  put_known(json, "image_id", container.image_id);
  put_known(json, "pod", container.pod);
  put_known(json, "pod_namespace", container.pod_namespace);
  put_known(json, "created", container.created);
  put_known(json, "started", container.started);
  put_known(json, "dumped", container.dumped);
  put_known(json, "criu_version", container.criu_version);
  put_known(json, "hostname", all.hostname);
  put_known(json, "host", container.host);
  put_known(json, "kernel", container.kernel);
  put_known(json, "architecture", container.architecture);
  if (const InspectedProcess* root = all.root()) put_known(json, "machine", std::string{root->task->machine});
  json.key("page_size").number(all.checkpoint->page_size());
  put_sizes(json, all.sizes);
  if (all.statistics) put_figures(json, *all.statistics);
  put_counts(json, all);
  json.key("nr_errors").number(static_cast<std::uint32_t>(all.errors.size()));
}

}  // namespace

InspectionDocument::InspectionDocument(Output& output, Keys keys, InspectionJson options)
    : output_{output}, keys_{keys}, options_{std::move(options)}, json_{output, true, options_.big_numbers} {
  if (keys_ == Keys::own) json_.begin('{').key("schema").number(std::uint32_t{1}).key("checkpoints");
  json_.begin('[');
}

void InspectionDocument::add(const Inspection& inspection) {
  if (keys_ == Keys::own) Document{json_, inspection, options_}.put();
  else put_checkpointctl(json_, output_, inspection, options_);
}

void InspectionDocument::end() {
  json_.end(']');
  if (keys_ == Keys::own) json_.end('}');
  json_.line_end();
}

void print_inspection_lines(Output& output, const Inspection& inspection, const InspectionJson& options) {
  Lines lines{output, inspection, options};
  const auto is_shown = [&](std::uint32_t pid) { return is_chosen(options.pids, pid); };
  put_checkpoint(lines.begin("checkpoint"), inspection);
  lines.end();
  for (const InspectedProcess& process : inspection.processes) {
    if (!is_shown(process.task->pid)) continue;
    put_process(lines.begin("process"), process, options.environment, true);
    lines.end();
  }
  for (const InspectedSocket& socket : inspection.sockets)
    for (const Owner& owner : socket.owners) {
      if (!is_shown(owner.pid)) continue;
      JsonWriter& json = lines.begin("socket");
      lines.owner(owner);
      put_socket(json, socket);
      if (!socket.peers.empty()) {
        json.key("peer_pid").number(socket.peers.front().pid);
        put_name(json, "peer_comm", inspection.comm_of(socket.peers.front().pid));
      }
      lines.end();
    }
  for (const InspectedFile& file : inspection.files)
    for (const Owner& owner : file.owners) {
      if (!is_shown(owner.pid)) continue;
      JsonWriter& json = lines.begin("file");
      lines.owner(owner);
      put_file(json, file);
      lines.end();
    }
  for (const InspectedMount& mount : inspection.mounts) {
    put_mount(lines.begin("mount"), mount);
    lines.end();
  }
  for (const InspectedNamespace& ns : inspection.namespaces) {
    put_namespace(lines.begin("namespace"), ns);
    lines.end();
  }
  for (const Attention& attention : inspection.attention) {
    const auto chosen = chosen_of(attention, options.pids);
    if (!chosen) continue;
    put_attention(lines.begin("attention"), *chosen, true);
    lines.end();
  }
}

}  // namespace critpipe
