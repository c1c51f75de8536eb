// What processes of an inspection live in: memory by kind, mounts, namespaces; and what the dump took.
#include <algorithm>
#include <unordered_map>

#include "model/message_reader.hpp"
#include "model/namespace_kinds.hpp"
#include "report/explorers.hpp"
#include "report/inspection_work.hpp"

namespace critpipe {

namespace {

// Walks runs and mappings side by side, each in order; what overlaps counts once.
void add_runs(InspectedSizes& sizes, const Task& task, std::uint64_t page_size) {
  const MappingIndex index{task.memory.mappings};
  std::map<Mapping::Kind, std::uint64_t> by_kind;
  std::uint64_t unmapped = 0, done = 0;  // addresses before `done` are counted
  std::vector<PageRun> runs = task.pagemap;
  if (!std::ranges::is_sorted(runs, {}, &PageRun::vaddr)) std::ranges::stable_sort(runs, {}, &PageRun::vaddr);
  auto mapping = index.all().begin();
  for (const PageRun& run : runs) {
    const std::uint64_t bytes = bytes_of_pages(run.nr_pages, page_size);
    if (run.is_parent()) sizes.parent_pages += bytes;
    else if (run.is_lazy() && !run.is_present()) sizes.lazy_pages += bytes;
    if (!run.is_here()) continue;
    std::uint64_t at = std::max(run.vaddr, done);
    const std::uint64_t end = run.end(page_size);
    while (at < end) {
      while (mapping != index.all().end() && (*mapping)->end <= at) ++mapping;
      const bool is_inside = mapping != index.all().end() && (*mapping)->start <= at;
      const std::uint64_t next = mapping == index.all().end() ? end : is_inside ? (*mapping)->end : (*mapping)->start;
      const std::uint64_t stop = std::min(end, next);
      (is_inside ? by_kind[(*mapping)->kind()] : unmapped) += stop - at;
      at = stop;
    }
    done = std::max(done, end);
  }
  if (unmapped > 0) sizes.pages_by_kind["unmapped"] += unmapped;
  for (const auto& [kind, bytes] : by_kind) sizes.pages_by_kind[std::string{name_of(kind)}] += bytes;
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

// mnt_entry.fstype as mount(8) has it. Empty: CRIU has no number for it, or takes what was there.
constexpr std::string_view file_systems[] = {
    "",        "proc",    "sysfs",  "devtmpfs", "binfmt_misc", "tmpfs", "devpts", "simfs",   "pstore", "securityfs",
    "fusectl", "debugfs", "cgroup", "aufs",     "mqueue",      "fuse",  "",       "overlay", "autofs", "tracefs",
    "",        "",        "",       "cgroup2"};

std::string type_of(const Mount& mount) {
  if (!mount.name.empty()) return mount.name;
  return mount.fstype < std::size(file_systems) ? std::string{file_systems[mount.fstype]}
                                                : std::to_string(mount.fstype);
}

}  // namespace

void inspect_mounts(Inspection& inspection) {
  constexpr std::uint32_t read_only = 1;
  std::unordered_map<std::string_view, const ContainerMount*> asked;  // by destination, the first
  for (const ContainerMount& mount : inspection.container.mounts) asked.try_emplace(mount.destination, &mount);
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
    const auto from = asked.find(found.mountpoint);
    if (from != asked.end() && from->second->source.starts_with('/')) found.host_source = from->second->source;
    inspection.mounts.push_back(std::move(found));
  }
  // Images have the newest mount first.
  std::ranges::stable_sort(inspection.mounts, {}, [](const InspectedMount& mount) {
    return std::pair{mount.ns, std::string_view{mount.mountpoint}};
  });
}

void inspect_namespaces(Inspection& inspection) {
  const Checkpoint& checkpoint = *inspection.checkpoint;
  const Ids of_host = checkpoint.ids_of_dumper().value_or(Ids{});
  for (const NamespaceKind& kind : namespace_kinds()) {
    std::map<std::uint32_t, std::size_t> counts;
    for (const InspectedProcess& process : inspection.processes)
      if (const std::uint32_t id = process.task->ids.*kind.id; id != 0) ++counts[id];
    const std::uint32_t host = of_host.*kind.id;
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

void inspect_statistics(Inspection& inspection, const Checkpoint& checkpoint) {
  static const Message& stats = *find_message("stats_entry");
  static const Field& dump = *stats.find("dump");
  for (const ImageMessage& message : checkpoint.messages("STATS")) {
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
