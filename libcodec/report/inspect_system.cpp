// What processes of an inspection live in: memory by kind, mounts, namespaces; and what the dump took.
#include <algorithm>

#include "model/message_reader.hpp"
#include "model/namespace_kinds.hpp"
#include "report/explorers.hpp"
#include "report/inspection_work.hpp"

namespace critpipe {

namespace {

// The mapping that holds each run's pages, walked side by side; both ascend in what CRIU writes.
void add_runs(InspectedSizes& sizes, const Task& task, std::uint64_t page_size) {
  const MappingIndex index{task.memory.mappings};
  for (const PageRun& run : task.pagemap) {
    const std::uint64_t bytes = bytes_of_pages(run.nr_pages, page_size);
    if (run.is_parent()) sizes.parent_pages += bytes;
    else if (run.is_lazy() && !run.is_present()) sizes.lazy_pages += bytes;
    if (!run.is_here()) continue;
    std::uint64_t at = run.vaddr;
    const std::uint64_t end = run.end(page_size);
    for (auto mapping = index.from(at); mapping != index.all().end() && at < end; ++mapping) {
      if ((*mapping)->start >= end) break;
      const std::uint64_t begin = std::max(at, (*mapping)->start), stop = std::min(end, (*mapping)->end);
      if (begin > at) sizes.pages_by_kind["unmapped"] += begin - at;
      if (stop > begin) sizes.pages_by_kind[std::string{name_of((*mapping)->kind())}] += stop - begin;
      at = std::max(at, stop);
    }
    if (at < end) sizes.pages_by_kind["unmapped"] += end - at;
  }
}

PageRun run_of(const ImageMessage& message) {
  Entry entry{};
  entry.index = 1;
  entry.message = message.message;
  entry.payload = message.payload;
  return PagemapReader::decoded(entry);
}

}  // namespace

void inspect_memory(Inspection& inspection) {
  const Checkpoint& checkpoint = *inspection.checkpoint;
  InspectedSizes& sizes = inspection.sizes;
  for (const InspectedProcess& process : inspection.processes) {
    const std::uint64_t own = process.task->memory.page_size;
    add_runs(sizes, *process.task, own ? own : checkpoint.page_size());
  }
  static const Message* const entry = find_message("pagemap_entry");
  for (const ImageMessage& message : checkpoint.messages("SHMEM_PAGEMAP")) {
    if (message.message != entry) continue;
    const PageRun run = run_of(message);
    const std::uint64_t bytes = bytes_of_pages(run.nr_pages, checkpoint.page_size());
    if (run.is_here()) sizes.pages_by_kind["shared"] += bytes;
    else if (run.is_parent()) sizes.parent_pages += bytes;
  }
  inspection.has_parent = sizes.parent_pages > 0;
}

namespace {

struct Mount {
  std::uint32_t fstype = 0, flags = 0, sb_flags = 0;
  std::string root = {}, mountpoint = {}, source = {}, options = {}, name = {}, key = {};
  bool is_external = false;
};

const MessageReader<Mount>& mount_reader() {
  static const MessageReader<Mount> reader{"mnt_entry",
                                           {{"fstype", put<&Mount::fstype>},
                                            {"flags", put<&Mount::flags>},
                                            {"sb_flags", put<&Mount::sb_flags>},
                                            {"root", put<&Mount::root>},
                                            {"mountpoint", put<&Mount::mountpoint>},
                                            {"source", put<&Mount::source>},
                                            {"options", put<&Mount::options>},
                                            {"fsname", put<&Mount::name>},
                                            {"ext_key", put<&Mount::key>},
                                            {"ext_mount", put<&Mount::is_external>}}};
  return reader;
}

// As mount(8) has it.
std::string type_of(const Mount& mount) {
  constexpr std::uint32_t unsupported = 0, automatic = 16;
  if (!mount.name.empty()) return mount.name;
  if (mount.fstype == unsupported || mount.fstype == automatic) return {};
  const auto names = mount_reader().message().find("fstype")->enum_values();
  const auto found = std::ranges::find(names, mount.fstype, &Name::value);
  if (found == names.end()) return std::to_string(mount.fstype);
  std::string text{found->name};
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text == "overlayfs" ? "overlay" : text;
}

}  // namespace

void inspect_mounts(Inspection& inspection) {
  constexpr std::uint32_t read_only = 1;
  for (const ImageMessage& message : inspection.checkpoint->messages("MNTS")) {
    Mount mount;
    mount_reader().read(message.payload, mount);
    InspectedMount found{mount.mountpoint, type_of(mount), mount.source, mount.root, mount.options};
    found.is_external = mount.is_external || !mount.key.empty();
    found.is_read_only = (mount.flags | mount.sb_flags) & read_only;
    found.ns = message.number;
    // Paths in old images begin with "./".
    const std::string_view path = mount.mountpoint;
    found.mountpoint =
        path == "." || path.empty() ? std::string_view{"/"} : path.substr(path.starts_with("./") ? 1 : 0);
    const auto asked = std::ranges::find(inspection.container.mounts, found.mountpoint, &ContainerMount::destination);
    if (asked != inspection.container.mounts.end() && asked->source.starts_with('/')) found.host_source = asked->source;
    inspection.mounts.push_back(std::move(found));
  }
  // Images have the newest mount first.
  std::ranges::stable_sort(inspection.mounts, {}, [](const InspectedMount& mount) {
    return std::pair{mount.ns, std::string_view{mount.mountpoint}};
  });
}

void inspect_namespaces(Inspection& inspection) {
  const Checkpoint& checkpoint = *inspection.checkpoint;
  static const Message &inventory = *find_message("inventory_entry"), &ids = *find_message("task_kobj_ids_entry");
  std::optional<Bytes> of_host;
  for (const ImageMessage& message : checkpoint.messages("INVENTORY"))
    if (const auto value = find_value(*inventory.find("root_ids"), inventory, message.payload)) of_host = value->bytes;
  for (const NamespaceKind& kind : namespace_kinds()) {
    std::map<std::uint32_t, std::size_t> counts;
    for (const InspectedProcess& process : inspection.processes)
      if (const std::uint32_t id = process.task->ids.*kind.id; id != 0) ++counts[id];
    const std::string field = std::string{kind.kind} + "_ns_id";
    const std::uint64_t host = of_host ? integer_or(*ids.find(field), ids, *of_host, 0) : 0;
    for (const auto& [id, count] : counts) {
      InspectedNamespace found{.kind = kind.kind, .id = id, .nr_processes = count};
      if (host != 0) found.is_hosts = host == id;
      inspection.namespaces.push_back(found);
    }
  }
  static const Message& uts = *find_message("utsns_entry");
  const auto names = checkpoint.messages("UTSNS");
  const auto* root = inspection.root();
  for (const ImageMessage& message : names) {
    const bool is_roots = !root || message.number == root->task->ids.uts_ns || names.size() == 1;
    if (const auto name = find_value(*uts.find("nodename"), uts, message.payload); name && is_roots)
      inspection.hostname = as_text(name->bytes);
  }
  if (inspection.hostname.empty()) inspection.hostname = inspection.container.hostname;
  const bool is_hosts = std::ranges::any_of(inspection.namespaces, [](const InspectedNamespace& ns) {
    return ns.kind == "uts" && ns.is_hosts.value_or(false);
  });
  if (inspection.hostname.empty() && is_hosts) inspection.hostname = inspection.container.host;
}

void inspect_statistics(Inspection& inspection) {
  static const Message& stats = *find_message("stats_entry");
  static const Field& dump = *stats.find("dump");
  for (const ImageMessage& message : inspection.checkpoint->messages("STATS")) {
    const auto value = find_value(dump, stats, message.payload);
    if (!value) continue;
    Statistics found{.set = inspection.id, .of = Statistics::Of::dump, .page_size = inspection.checkpoint->page_size()};
    for (const StatisticsField& field : fields_of(Statistics::Of::dump)) {
      const Field* own = dump.message().find(field.name);
      const auto number = own ? find_value(*own, dump.message(), value->bytes) : std::nullopt;
      found.values.push_back(number ? std::optional{number->integer} : std::nullopt);
    }
    inspection.statistics = std::move(found);
  }
}

}  // namespace critpipe
