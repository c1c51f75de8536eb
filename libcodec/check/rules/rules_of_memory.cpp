// Address spaces, pagemaps and pages.
#include <algorithm>

#include "check/checked_images.hpp"
#include "model/file_types.hpp"

namespace critpipe {

namespace {

using Unsigned = unsigned long long;

std::string mm_name(const Task& task) { return image_name("MM", task.pid); }

std::string field_of(std::size_t index, const char* field) { return format("vmas[%zu].%s", index, field); }

void find_missing_mm(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running())
    if (!set.has(mm_name(*task)) && !set.is_cut)
      report({mm_name(*task)}, format("this image is missing: task %u has no address space", task->pid));
}

bool has_mappings(const CheckedImages& set, const Task& task) {
  return set.has(mm_name(task)) && !set.is_damaged(mm_name(task));
}

void find_no_mappings(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running())
    if (has_mappings(set, *task) && task->memory.mappings.empty() && !set.is_damaged(image_name("VMAS", task->pid)))
      report({mm_name(*task), 0, "vmas"}, format("task %u has no mapping", task->pid));
}

void find_bad_bounds(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running())
    for (std::size_t i = 0; i < task->memory.mappings.size(); ++i) {
      const Mapping& mapping = task->memory.mappings[i];
      if (mapping.start >= mapping.end)
        report({mm_name(*task), 0, field_of(i, "end")},
               format("0x%llx is not behind the start, 0x%llx", Unsigned{mapping.end}, Unsigned{mapping.start}));
      else if ((mapping.start | mapping.end) % set.page_size() != 0)
        report({mm_name(*task), 0, field_of(i, "start")},
               format("0x%llx to 0x%llx is not whole pages", Unsigned{mapping.start}, Unsigned{mapping.end}));
      else if (mapping.pgoff % set.page_size() != 0)
        report({mm_name(*task), 0, field_of(i, "pgoff")},
               format("%llu does not begin at a page", Unsigned{mapping.pgoff}));
    }
}

void find_bad_flags(const CheckedImages& set, const Reporter& report) {
  constexpr std::uint32_t type_bits = 0xf,
                          known[] = {1, 2, 3, 8};  // MAP_SHARED, _PRIVATE, _SHARED_VALIDATE, _DROPPABLE
  for (const Task* const task : set.running())
    for (std::size_t i = 0; i < task->memory.mappings.size(); ++i) {
      const Mapping& mapping = task->memory.mappings[i];
      if (mapping.kind() != Mapping::Kind::guard &&
          std::ranges::find(known, mapping.flags & type_bits) == std::end(known))
        report({mm_name(*task), 0, field_of(i, "flags")},
               format("0x%x is neither MAP_SHARED nor MAP_PRIVATE", mapping.flags));
    }
}

// The kernel refuses those that are not in order, and those of the page at 0.
void find_bad_addresses(const CheckedImages& set, const Reporter& report) {
  struct Pair {
    const char *begin_name, *end_name;
    std::uint64_t AddressSpace::*begin, AddressSpace::*end;
    bool may_be_empty;
  };
  using Space = AddressSpace;
  constexpr Pair pairs[] = {{"mm_start_code", "mm_end_code", &Space::start_code, &Space::end_code, false},
                            {"mm_start_data", "mm_end_data", &Space::start_data, &Space::end_data, true},
                            {"mm_start_brk", "mm_brk", &Space::start_brk, &Space::brk, true},
                            {"mm_arg_start", "mm_arg_end", &Space::arg_start, &Space::arg_end, true},
                            {"mm_env_start", "mm_env_end", &Space::env_start, &Space::env_end, true}};
  for (const Task* const task : set.running()) {
    if (!has_mappings(set, *task)) continue;
    const Space& space = task->memory;
    const auto look = [&](const char* field, std::uint64_t address) {
      if (address < smallest_page)
        report({mm_name(*task), 0, field}, format("0x%llx is in the page at 0", Unsigned{address}));
    };
    if (space.start_stack != 0) look("mm_start_stack", space.start_stack);
    for (const auto& [begin_name, end_name, begin, end, may_be_empty] : pairs) {
      if (space.*begin == 0 && space.*end == 0) continue;  // nothing was said
      look(begin_name, space.*begin);
      look(end_name, space.*end);
      if (space.*begin > space.*end || (space.*begin == space.*end && !may_be_empty))
        report({mm_name(*task), 0, end_name},
               format("0x%llx is not behind %s, 0x%llx", Unsigned{space.*end}, begin_name, Unsigned{space.*begin}));
    }
  }
}

// So do a core image of another dump, and those of two tasks that have changed places.
void find_registers(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running()) {
    if (!has_mappings(set, *task)) continue;
    const MappingIndex mappings{task->memory.mappings};
    const auto is_mapped = [&](std::uint64_t address) {
      return mappings.at(address) || (address > 0 && mappings.at(address - 1));  // a stack may be empty
    };
    for (const Thread& thread : task->threads) {
      const auto core = set.cores.find(thread.tid);
      if (core == set.cores.end() || !core->second.code || (*core->second.code | *core->second.stack) == 0) continue;
      const std::string name = image_name("CORE", thread.tid);
      if (!is_mapped(*core->second.code))
        report({name, 0}, format("thread %u runs at 0x%llx, where task %u has no mapping", thread.tid,
                                 Unsigned{*core->second.code}, task->pid));
      else if (!is_mapped(*core->second.stack))
        report({name, 0}, format("thread %u has its stack at 0x%llx, where task %u has no mapping", thread.tid,
                                 Unsigned{*core->second.stack}, task->pid));
    }
  }
}

// Guards lie in other mappings, and the vsyscall mapping stands last.
void find_overlaps(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running()) {
    std::uint64_t end = 0, start = 0;
    for (std::size_t i = 0; i < task->memory.mappings.size(); ++i) {
      const Mapping& mapping = task->memory.mappings[i];
      if (mapping.kind() == Mapping::Kind::guard) continue;
      if (mapping.start < start)
        report({mm_name(*task), 0, field_of(i, "start")},
               format("0x%llx stands behind 0x%llx: mappings are in ascending order", Unsigned{mapping.start},
                      Unsigned{start}));
      else if (mapping.start < end)
        report({mm_name(*task), 0, field_of(i, "start")},
               format("0x%llx lies in the mapping before it, which ends at 0x%llx", Unsigned{mapping.start},
                      Unsigned{end}));
      start = mapping.start;
      end = std::max(end, mapping.end);
    }
  }
}

constexpr std::uint32_t status_plugin = 1u << 27;

void find_mapped_files(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running())
    for (std::size_t i = 0; i < task->memory.mappings.size(); ++i) {
      const Mapping& mapping = task->memory.mappings[i];
      const auto id = static_cast<std::uint32_t>(mapping.shmid);
      const bool is_socket = mapping.kind() == Mapping::Kind::socket;
      if ((!mapping.has_file() && !is_socket) || mapping.status & status_plugin) continue;
      const std::uint32_t type = is_socket                                ? +type_packet
                                 : mapping.kind() == Mapping::Kind::memfd ? +type_memfd
                                                                          : +type_reg;
      if (set.find_file(type, id) || set.lacks_files(type)) continue;
      if (type == type_memfd && set.find_file(type_reg, id)) continue;
      if (type == type_reg && (set.find_file(type_memfd, id) || set.find_file(16, id))) continue;  // 16: a plugin's
      report({mm_name(*task), 0, field_of(i, "shmid")}, format("the file mapped at 0x%llx, %s, is not in the images",
                                                               Unsigned{mapping.start}, file_text(type, id).c_str()));
    }
}

void find_programs(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running())
    if (has_mappings(set, *task) && !set.find_file(type_reg, task->memory.exe_id) && !set.lacks_files(type_reg))
      report({mm_name(*task), 0, "exe_file_id"}, format("the program of task %u, %s, is not in the images", task->pid,
                                                        file_text(type_reg, task->memory.exe_id).c_str()));
}

void find_shared_pages(const CheckedImages& set, const Reporter& report) {
  if (set.memories.empty()) return;
  std::set<std::uint64_t> known;
  for (const Task* const task : set.running())
    for (std::size_t i = 0; i < task->memory.mappings.size(); ++i) {
      const auto object = shared_object(set.checkpoint, task->memory.mappings[i]);
      if (!object || !known.insert(object->id).second) continue;
      const std::string name = pagemap_name(*object);
      if (set.has(name) || set.is_cut) continue;
      const bool is_sysv = task->memory.mappings[i].kind() == Mapping::Kind::sysv;
      if (is_sysv && !set.has_segment(static_cast<std::uint32_t>(object->id))) continue;  // another rule
      if (is_sysv && set.has_segment_inline(static_cast<std::uint32_t>(object->id))) continue;
      report({name}, format("this image is missing: task %u maps the shared object at 0x%llx", task->pid,
                            Unsigned{task->memory.mappings[i].start}));
    }
}

void find_segments(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running())
    for (std::size_t i = 0; i < task->memory.mappings.size(); ++i) {
      const Mapping& mapping = task->memory.mappings[i];
      const std::string name = image_name("IPCNS_SHM", task->ids.ipc_ns);
      if (mapping.kind() != Mapping::Kind::sysv || set.is_damaged(name)) continue;
      if (!set.has_segment(static_cast<std::uint32_t>(mapping.shmid)))
        report({mm_name(*task), 0, field_of(i, "shmid")},
               format("the System V segment %llu is not in %s", Unsigned{mapping.shmid}, name.c_str()));
    }
  if (set.memories.empty()) return;
  set.each("IPCNS_SHM", [&](const std::string& image, std::uint64_t entry, const Record& segment) {
    const std::uint32_t id = segment.inner("desc").id("id");
    const std::string pages = pagemap_name({true, id});
    if (segment.number("in_pagemaps") != 0 && !set.has(pages) && !set.is_cut)
      report({image, entry, "in_pagemaps"}, format("%s, with the bytes of segment %u, is missing", pages.c_str(), id));
  });
}

void find_memfds(const CheckedImages& set, const Reporter& report) {
  std::map<std::uint64_t, std::uint64_t> inodes;  // id -> size
  set.each("MEMFD_INODE", [&](const std::string&, std::uint64_t, const Record& inode) {
    inodes.emplace(inode.number("inode_id"), inode.number("size"));
  });
  for (const SeenFile& file : set.files())
    if (file.type == type_memfd && !inodes.contains(file.record.number("inode_id")) && !set.is_damaged("memfd.img"))
      report({std::string{file.image}, file.entry, "memfd.inode_id"},
             format("memfd.img has no memfd %llu", Unsigned{file.record.number("inode_id")}));
  if (set.memories.empty()) return;
  set.each("MEMFD_INODE", [&](const std::string& image, std::uint64_t entry, const Record& inode) {
    const std::string pages = pagemap_name({true, inode.id("shmid")});
    if (inode.number("size") > 0 && !set.has(pages) && !set.is_cut)
      report({image, entry, "shmid"},
             format("%s, with the bytes of %s, is missing", pages.c_str(), quoted(inode.text("name")).c_str()));
  });
}

void find_lazy(const CheckedImages& set, const Reporter& report) {
  if (set.plan.lazy_pages) return;
  for (const auto& [id, memory] : set.memories)
    if (memory.nr_lazy_only > 0)
      report.need({pagemap_name(id)},
                  format("%llu pages were left on the source: the restore needs --lazy-pages and it",
                         Unsigned{memory.nr_lazy_only}));
}

// In an archive whose link leads out of it. In a directory it is another rule.
void find_parent_elsewhere(const CheckedImages& set, const Reporter& report) {
  if (!set.directory.empty() || set.has_given_parent() || !set.has_link || set.has_circle) return;
  for (const auto& [id, memory] : set.memories)
    if (memory.nr_parent > 0)
      report.need({pagemap_name(id)},
                  format("%llu pages are in the parent, which is not in here: name it with --parent",
                         Unsigned{memory.nr_parent}));
  const auto has_pages_there = [](const auto& one) { return one.second.nr_parent > 0; };
  if (!set.memories.empty() && std::ranges::none_of(set.memories, has_pages_there))
    report.need({"parent"}, "CRIU opens the parent, which is not in here, though no pages are in it");
}

// How many pages a dump says that it wrote.
void find_statistics(const CheckedImages& set, const Reporter& report) {
  const Record dump = set.first("STATS").inner("dump");
  if (!dump || set.pages.empty()) return;
  std::uint64_t present = 0, shared = 0;
  for (const auto& [id, memory] : set.memories) {
    if (memory.is_damaged) return;
    (id.shmem ? shared : present) += memory.pagemap.nr_present;
  }
  const std::uint64_t written = dump.number("pages_written") + dump.number("shpages_written");
  if (written > present + shared)
    report({"stats-dump", 0, "dump.pages_written"}, format("the dump wrote %llu pages, and the pagemaps have %llu",
                                                           Unsigned{written}, Unsigned{present + shared}));
}

constexpr RuleRow rows[] = {
    {{"mm-missing", Severity::error, "A task has no address space.", "Copy the image again, or dump again."},
     find_missing_mm},
    {{"mappings-missing", Severity::error, "An address space has no mapping.",
      "Take the image from the dump as it was written."},
     find_no_mappings},
    {{"mapping-bounds", Severity::error,
      "A mapping ends before it begins, is not whole pages, or begins within a page of its file.",
      "Take the mm image from the dump as it was written."},
     find_bad_bounds},
    {{"mapping-flags", Severity::error, "A mapping is neither shared nor private.",
      "Take the mm image from the dump as it was written."},
     find_bad_flags},
    {{"mm-addresses", Severity::error,
      "Addresses of code, data, heap, stack, arguments or environment are out of order.",
      "Take the mm image from the dump as it was written: the kernel refuses the addresses."},
     find_bad_addresses},
    {{"registers-elsewhere", Severity::warning, "A thread runs, or has its stack, where its task has no mapping.",
      "Look whether the core and mm images are of the same dump: the task would end at once."},
     find_registers},
    {{"mapping-overlap", Severity::error, "Mappings overlap or are out of order.",
      "Take the mm image from the dump as it was written."},
     find_overlaps},
    {{"mapping-file", Severity::error, "A mapped file is not in the images.",
      "Take files.img and the mm image from the same dump."},
     find_mapped_files},
    {{"program-file", Severity::error, "The file of a program is not in the images.",
      "Take files.img and the mm image from the same dump."},
     find_programs},
    {{"shared-pagemap", Severity::error, "A shared object that is mapped has no pagemap.",
      "Copy the image again, or dump again."},
     find_shared_pages},
    {{"segment-missing", Severity::error, "A System V segment is not in the images.",
      "Copy the ipcns-shm and pagemap-shmem images again, or dump again."},
     find_segments},
    {{"memfd-missing", Severity::error, "A memfd or its bytes are not in the images.",
      "Copy memfd.img and the pagemap-shmem images again, or dump again."},
     find_memfds},
    {{"pagemap-missing", Severity::error, "A task has memory and no pagemap.", "Copy the image again, or dump again."}},
    {{"pagemap-order", Severity::error, "The entries of a pagemap are not in ascending order.",
      "Take the pagemap from the dump as it was written."}},
    {{"pagemap-overlap", Severity::error, "Entries of a pagemap overlap.",
      "Take the pagemap from the dump as it was written."}},
    {{"pagemap-alignment", Severity::error, "An entry of a pagemap does not begin at a page.",
      "Take the pagemap from the dump as it was written."}},
    {{"pagemap-mapping", Severity::error, "A pagemap has pages where the task has no mapping.",
      "Take the pagemap and the mm image from the same dump."}},
    {{"pagemap-empty", Severity::warning, "An entry of a pagemap has no pages.", "Nothing: CRIU passes it over."}},
    {{"pagemap-flags", Severity::error,
      "An entry of a pagemap has flags that contradict each other; or flags that are not known, which is a warning.",
      "Take the pagemap from the dump as it was written; or look whether a newer release of CRIU made the dump."}},
    {{"pagemap-owner", Severity::loss, "A pagemap is of no task and of no object that is mapped.",
      "Take pstree.img from the same dump: the memory will not be restored. Where an earlier dump went to the same "
      "directory, the pagemap may have been left over."}},
    {{"pages-missing", Severity::error, "The image with the bytes of pages is not there.",
      "Copy the pages image again, or dump again."}},
    {{"pages-size", Severity::error, "A pages image has another size than its pagemap says.",
      "Copy pages image and pagemap again: with pages that are too short, CRIU fails or hangs; where the pagemap lacks "
      "an entry, all later pages go to wrong addresses."}},
    {{"pages-block", Severity::error, "A block of compressed pages does not decode.",
      "Copy the pages image again, or dump again."}},
    {{"pages-claimed", Severity::error, "Two pagemaps name the same pages image.",
      "Take the pagemaps from the dump as they were written."}},
    {{"pages-unclaimed", Severity::loss, "No pagemap names a pages image.",
      "Look whether a pagemap is missing: the pages will not be restored. Where all tasks have theirs, an earlier dump "
      "may have left the image."}},
    {{"pages-parent", Severity::error, "Pages should be in the parent, and are not.",
      "Put the directories of the pre-dumps, with their pages, where the links lead; crit-cat --parents packs them."}},
    {{"parent-link", Severity::error, "The link to the parent leads nowhere or in a circle.",
      "Set the link parent to the directory of the dump before."}},
    {{"needs-parent", Severity::error, "Pages are in a parent, to which a link leads out of the archive.",
      "Give crit-check --parent, and podman container restore --import-previous."},
     find_parent_elsewhere},
    {{"needs-lazy-pages", Severity::error, "Pages were left on the source of a lazy migration.",
      "Restore while the source still serves them, with --lazy-pages."},
     find_lazy},
    {{"statistics", Severity::warning, "The dump wrote more pages than are here.",
      "Look whether pagemaps are missing."},
     find_statistics},
};

constexpr bool is_rule_of(std::string_view rule, std::string_view fault) {
  for (const std::string_view prefix : {"pages-", "pagemap-"})
    if (rule.starts_with(prefix) && rule.substr(prefix.size()) == fault) return true;
  return false;
}

constexpr bool has_all_faults() {
  for (const std::string_view fault : pages_fault_names) {
    bool has_rule = false;
    for (const RuleRow& row : rows) has_rule |= is_rule_of(row.rule.name, fault);
    if (!has_rule) return false;
  }
  return true;
}
static_assert(has_all_faults(), "a PagesFault has no rule");

}  // namespace

std::span<const RuleRow> memory_rules() { return rows; }

}  // namespace critpipe
