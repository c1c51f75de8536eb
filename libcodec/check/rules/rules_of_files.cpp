// Descriptors, directories, and what stands in for files.
#include <algorithm>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "check/checked_images.hpp"
#include "model/file_types.hpp"

namespace critpipe {

namespace {

// Tables that tasks share are looked at once.
template <typename Use>
void each_table(const CheckedImages& set, Use use) {
  std::set<std::uint32_t> seen;
  for (const Task* const task : set.running())
    if (task->ids.files != 0 && seen.insert(task->ids.files).second) use(*task, image_name("FDINFO", task->ids.files));
}

// CRIU restores the task without descriptors.
void find_missing_tables(const CheckedImages& set, const Reporter& report) {
  each_table(set, [&](const Task& task, const std::string& name) {
    if (!set.has(name) && !set.is_cut)
      report({name}, format("this image is missing: task %u will have no descriptors", task.pid));
  });
}

bool is_special(std::uint32_t type) {
  return type == 0 || type_name(type) == "CTL_TTY" || type_name(type) == "AUTOFS_PIPE";
}

void find_unknown_files(const CheckedImages& set, const Reporter& report) {
  each_table(set, [&](const Task& task, const std::string& name) {
    std::uint64_t entry = 0;
    for (const Descriptor& descriptor : set.checkpoint.descriptors(task)) {
      const std::uint64_t at = entry++;
      if (is_special(descriptor.type) || set.find_file(descriptor.type, descriptor.file_id)) continue;
      // Of a type that a later CRIU has, nothing but that is known.
      if (!file_type_of(descriptor.type) && set.is_listed(descriptor.type, descriptor.file_id)) continue;
      if (!set.lacks_files(descriptor.type))
        report({name, at, "id"}, format("descriptor %u of task %u is %s, which is not in the images", descriptor.fd,
                                        task.pid, file_text(descriptor.type, descriptor.file_id).c_str()));
    }
  });
}

void find_descriptors_twice(const CheckedImages& set, const Reporter& report) {
  each_table(set, [&](const Task& task, const std::string& name) {
    std::set<std::uint32_t> seen;
    std::uint64_t entry = 0;
    for (const Descriptor& descriptor : set.checkpoint.descriptors(task)) {
      const std::uint64_t at = entry++;
      if (!is_special(descriptor.type) && !seen.insert(descriptor.fd).second)
        report({name, at, "fd"},
               format("descriptor %u of task %u is here for the second time", descriptor.fd, task.pid));
    }
  });
}

void find_missing_fs(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running()) {
    const std::string name = image_name("FS", task->pid);
    if (!set.has(name) && !set.is_cut)
      report({name}, format("this image is missing: root and working directory of task %u are not known", task->pid));
  }
}

void find_directories(const CheckedImages& set, const Reporter& report) {
  for (const Task* const task : set.running()) {
    const std::string name = image_name("FS", task->pid);
    if (!task->has_directories || set.is_damaged(name) || set.lacks_files(type_reg)) continue;
    const auto look = [&](const char* field, std::uint32_t id) {
      if (!set.find_file(type_reg, id))
        report({name, 0, field},
               format("%s of task %u is not in the images", file_text(type_reg, id).c_str(), task->pid));
    };
    look("cwd_id", task->cwd_id);
    look("root_id", task->root_id);
  }
}

constexpr std::uint32_t ghost_bit = std::uint32_t{1} << 31;

// The oldest releases mark a ghost by a bit of its number.
bool is_ghost(const Record& remap) {
  return remap.number("remap_type") == 1 || (!remap.has("remap_type") && remap.id("remap_id") & ghost_bit);
}

void find_remaps(const CheckedImages& set, const Reporter& report) {
  set.each("REMAP_FPATH", [&](const std::string& image, std::uint64_t entry, const Record& remap) {
    const std::uint32_t original = remap.id("orig_id");
    if (!set.find_file(type_reg, original) && !set.lacks_files(type_reg) && !set.has_file(original))
      report({image, entry, "orig_id"},
             file_text(type_reg, original) + ", which it stands in for, is not in the images");
    const bool is_link = !is_ghost(remap) && remap.number("remap_type") == 0;
    if (is_link && !set.find_file(type_reg, remap.id("remap_id")) && !set.lacks_files(type_reg))
      report({image, entry, "remap_id"},
             file_text(type_reg, remap.id("remap_id")) + ", the link that stands in, is not in the images");
  });
}

void find_ghosts(const CheckedImages& set, const Reporter& report) {
  set.each("REMAP_FPATH", [&](const std::string& image, std::uint64_t entry, const Record& remap) {
    const std::string name = image_name("GHOST_FILE", remap.id("remap_id") & ~ghost_bit);
    if (is_ghost(remap) && !set.has(name) && !set.is_cut)
      report({name}, format("this image is missing: %s, entry %llu, has an unlinked file in it", image.c_str(),
                            static_cast<unsigned long long>(entry)));
  });
}

// CRIU compares the size of every regular file with the one in the images.
void find_short_ghosts(const CheckedImages& set, const Reporter& report) {
  set.each("REMAP_FPATH", [&](const std::string&, std::uint64_t, const Record& remap) {
    const std::uint32_t number = remap.id("remap_id") & ~ghost_bit;
    const std::string name = image_name("GHOST_FILE", number);
    const auto ghost = set.ghosts.find(number);
    const SeenFile* const file = set.find_file(type_reg, remap.id("orig_id"));
    if (!is_ghost(remap) || ghost == set.ghosts.end() || !file || !file->record.has("size") || set.is_damaged(name))
      return;
    const std::uint64_t bytes = ghost->second.has_chunks ? ghost->second.size : ghost->second.bytes;
    if (bytes != file->record.number("size"))
      report({name}, format("%llu bytes of a file that had %llu", static_cast<unsigned long long>(bytes),
                            static_cast<unsigned long long>(file->record.number("size"))));
  });
}

// An older dump into the same directory may have left one behind, but then its remap-fpath.img, too.
void find_unclaimed_ghosts(const CheckedImages& set, const Reporter& report) {
  if (!set.has_tasks() || set.is_damaged("remap-fpath.img")) return;
  std::set<std::uint32_t> used;
  set.each("REMAP_FPATH", [&](const std::string&, std::uint64_t, const Record& remap) {
    if (is_ghost(remap)) used.insert(remap.id("remap_id") & ~ghost_bit);
  });
  const Severity severity = set.checkpoint.messages("REMAP_FPATH").empty() ? Severity::error : Severity::warning;
  for (const auto& [number, ghost] : set.ghosts)
    if (!used.contains(number))
      report({image_name("GHOST_FILE", number)},
             "remap-fpath.img does not name it: the unlinked file will be looked for on the disk", severity);
}

// A unix socket that is there for those that are connected to it.
bool is_outside(const SeenFile& file) {
  constexpr std::uint64_t external_flag = 1;  // USK_EXTERN
  return file.type == type_unix && file.record.number("uflags") & external_flag;
}

bool has_damaged_table(const CheckedImages& set) {
  for (const Task* const task : set.running()) {
    const std::string name = image_name("FDINFO", task->ids.files);
    if (set.has(name) && set.is_damaged(name)) return true;
  }
  return false;
}

// The other ends of unix sockets may be outside, and memfds are there for mappings, too. Before CRIU 3.3 a named pipe
// and its path had one number.
void find_unclaimed_files(const CheckedImages& set, const Reporter& report) {
  if (!set.knows_all()) return;
  for (const SeenFile& file : set.files())
    if (file.image == "files.img" && file.type != type_pipe && file.type != type_memfd && !is_outside(file) &&
        !set.is_claimed(file))
      report({std::string{file.image}, file.entry, "id"},
             format("no task has %s open or mapped: a descriptor is missing", file_text(file.type, file.id).c_str()));
}

// Named pipes and terminals are opened by the path of a regular file.
void find_paths(const CheckedImages& set, const Reporter& report) {
  for (const SeenFile& file : set.files()) {
    if (file.type != type_fifo && file.type != type_tty) continue;
    const std::uint32_t id = file.record.id("regf_id");
    if (file.record.has("regf_id") && id != 0 && !set.find_file(type_reg, id) && !set.lacks_files(type_reg))
      report({std::string{file.image}, file.entry, "regf_id"},
             file_text(type_reg, id) + ", its path, is not in the images");
  }
}

// CRIU makes every pipe of the images, and wants a task for each of its ends.
void find_pipe_ends(const CheckedImages& set, const Reporter& report) {
  if (set.running().empty() || set.is_cut || has_damaged_table(set) || set.is_damaged("sk-queues.img")) return;
  for (const SeenFile& file : set.files())
    if (file.type == type_pipe && !set.is_opened(file.type, file.id) && !set.is_in_flight(file.id))
      report({std::string{file.image}, file.entry, "id"},
             format("no task has %s open, an end of pipe %u", file_text(file.type, file.id).c_str(),
                    file.record.id("pipe_id")));
}

void find_pipe_data(const CheckedImages& set, const Reporter& report) {
  const auto look = [&](ListedKind kind, std::uint32_t type) {
    std::set<std::uint32_t> ids;
    for (const SeenFile& file : set.files())
      if (file.type == type) ids.insert(file.record.id("pipe_id"));
    set.each(kind, [&](const std::string& image, std::uint64_t entry, const Record& data) {
      if (!ids.contains(data.id("pipe_id")) && !set.lacks_files(type) && data.number("bytes") > 0)
        report({image, entry, "pipe_id"}, format("no pipe %u is in the images: %llu bytes are lost", data.id("pipe_id"),
                                                 static_cast<unsigned long long>(data.number("bytes"))));
    });
  };
  look("PIPES_DATA", type_pipe);
  look("FIFO_DATA", type_fifo);
}

// The descriptors of a table, in order.
using Table = std::vector<std::uint32_t>;

// Which tables an epoll is in, by its id. Each table is held once, however many epolls are in it.
struct EpollTables {
  explicit EpollTables(const CheckedImages& set) {
    each_table(set, [&](const Task& task, const std::string&) {
      Table& table = all.emplace_back();
      for (const Descriptor& descriptor : set.checkpoint.descriptors(task)) {
        table.push_back(descriptor.fd);
        if (descriptor.type == type_epoll) of_epoll[descriptor.file_id].push_back(&table);
      }
      std::ranges::sort(table);
    });
  }
  std::deque<Table> all;
  std::unordered_map<std::uint32_t, std::vector<const Table*>> of_epoll;
};

// The descriptors in any of the tables. Looking for few is cheaper than joining large ones, and the other way round.
class AnyTable {
 public:
  AnyTable(const std::vector<const Table*>& tables, std::uint64_t nr_lookups) : tables_{tables} {
    std::uint64_t size = 0;
    for (const Table* const table : tables) size += table->size();
    if (size >= tables.size() * nr_lookups) return;
    for (const Table* const table : tables) joined_.insert(table->begin(), table->end());
    is_joined_ = true;
  }
  bool has(std::uint32_t fd) const {
    if (is_joined_) return joined_.contains(fd);
    return std::ranges::any_of(tables_, [&](const Table* table) { return std::ranges::binary_search(*table, fd); });
  }

 private:
  const std::vector<const Table*>& tables_;
  std::unordered_set<std::uint32_t> joined_ = {};
  bool is_joined_ = false;
};

// A process with the epoll has the descriptor, too.
void find_watched(const CheckedImages& set, const Reporter& report) {
  const EpollTables epolls{set};
  for (const SeenFile& file : set.files()) {
    const auto tables = file.type == type_epoll ? epolls.of_epoll.find(file.id) : epolls.of_epoll.end();
    if (tables == epolls.of_epoll.end()) continue;
    std::uint64_t nr_targets = 0;
    file.record.each("tfd", [&](const Record&) { ++nr_targets; });
    if (nr_targets == 0) continue;
    const AnyTable any{tables->second, nr_targets};
    file.record.each("tfd", [&](const Record& target) {
      if (!any.has(target.id("tfd")))
        report({std::string{file.image}, file.entry, "epfd.tfd.tfd"},
               format("it waits for descriptor %u, which no task that has it has open", target.id("tfd")));
    });
  }
}

// CRIU takes the inner one for the file's, and looks for what descriptors name.
void find_two_ids(const CheckedImages& set, const Reporter& report) {
  for (const SeenFile& file : set.files())
    if (file.image == "files.img" && file.record.has("id") && file.record.id("id") != file.id)
      report({std::string{file.image}, file.entry, "id"},
             format("its entry calls it %u, and the file in it %u", file.id, file.record.id("id")));
}

void find_external(const CheckedImages& set, const Reporter& report) {
  for (const SeenFile& file : set.files())
    if (file.type == type_reg && file.record.number("ext") != 0 && !set.is_inherited(file.record.text("name")))
      report.need({std::string{file.image}, file.entry, "reg.name"},
                  "a file from outside: the restore needs --inherit-fd fd[N]:" + visible(file.record.text("name")));
}

void find_locks(const CheckedImages& set, const Reporter& report) {
  std::uint64_t locks = 0;
  std::string image;
  const auto count = [&](const std::string& name, std::uint64_t, const Record&) {
    ++locks;
    image = name;
  };
  set.each("FILE_LOCKS", count);
  set.each("FILE_LOCKS_OLD", count);
  if (locks > 0 && !set.plan.file_locks)
    report.need({image}, format("%llu file lock%s held: without --file-locks the restore leaves %s out",
                                static_cast<unsigned long long>(locks), locks == 1 ? " was" : "s were",
                                locks == 1 ? "it" : "them"));
}

void find_lock_owners(const CheckedImages& set, const Reporter& report) {
  if (!set.has_whole_tree()) return;
  set.each("FILE_LOCKS", [&](const std::string& image, std::uint64_t entry, const Record& lock) {
    if (!set.checkpoint.find_task(lock.id("pid")))
      report({image, entry, "pid"}, format("task %u, which holds the lock, is not in the tree", lock.id("pid")));
  });
}

// CRIU takes the lock in the task, by the descriptor.
void find_locked(const CheckedImages& set, const Reporter& report) {
  std::map<std::uint32_t, std::unordered_set<std::uint32_t>> tables;  // those in which there are locks
  const auto has_open = [&](const Task& task, std::uint32_t fd) {
    const auto [table, is_new] = tables.try_emplace(task.ids.files);
    if (is_new)
      for (const Descriptor& one : set.checkpoint.descriptors(task)) table->second.insert(one.fd);
    return table->second.contains(fd);
  };
  const auto look = [&](const std::string& image, std::uint64_t entry, const Record& lock) {
    const Task* const task = set.checkpoint.find_task(lock.id("pid"));
    if (!task || !task->in_tree || set.is_cut) return;  // another rule
    if (!task->is_running())
      return report({image, entry, "pid"}, format("task %u, which holds the lock, has ended: it is lost", task->pid),
                    Severity::loss);
    if (task->ids.files == 0 || set.is_damaged(image_name("FDINFO", task->ids.files))) return;
    if (!has_open(*task, lock.id("fd")))
      report({image, entry, "fd"},
             format("task %u, which holds the lock, has no descriptor %d", task->pid, static_cast<int>(lock.id("fd"))));
  };
  set.each("FILE_LOCKS", look);
  set.each("FILE_LOCKS_OLD", look);
}

// The kernel refuses an owner that it does not know, and tells any other.
void find_owners(const CheckedImages& set, const Reporter& report) {
  if (!set.has_whole_tree()) return;
  constexpr std::uint32_t groups = 2;  // F_OWNER_PGRP
  for (const SeenFile& file : set.files()) {
    const Record owner = file.record.inner("fown");
    if (owner.id("pid") == 0 || set.has_pid(owner.id("pid"))) continue;
    report({std::string{file.image}, file.entry, std::string{file_type_of(file.type)->field} + ".fown.pid"},
           format("%s %u, which gets the signals of the file, is not in the tree",
                  owner.id("pid_type") == groups ? "group" : "task", owner.id("pid")),
           set.severity_of_unknown_pid());
  }
}

void find_no_files(const CheckedImages& set, const Reporter& report) {
  const auto has_descriptors = [&](const Task* task) { return !set.checkpoint.descriptors(*task).empty(); };
  if (set.files().empty() && !set.has("files.img") && !set.has("reg-files.img") && !set.is_cut &&
      std::ranges::any_of(set.running(), has_descriptors))
    report({"files.img"}, "this image is missing: nothing says what descriptors, mappings and directories refer to");
}

// CRIU makes the map, and leaves it empty.
void find_map_contents(const CheckedImages& set, const Reporter& report) {
  std::set<std::uint32_t> maps;
  set.each("BPFMAP_DATA",
           [&](const std::string&, std::uint64_t, const Record& data) { maps.insert(data.id("map_id")); });
  const std::string name = image_name("BPFMAP_DATA", 0);
  if (set.is_damaged(name) || set.is_cut) return;
  for (const SeenFile& file : set.files())
    if (type_name(file.type) == "BPFMAP" && !maps.contains(file.record.id("map_id")))
      report({std::string{file.image}, file.entry, "map_id"},
             format("what was in BPF map %u, %s, is not in %s", file.record.id("map_id"),
                    quoted(file.record.text("map_name")).c_str(), name.c_str()));
}

constexpr RuleRow rows[] = {
    {{"files-missing", Severity::error, "There is no list of files.", "Copy files.img again, or dump again."},
     find_no_files},
    {{"descriptors-missing", Severity::loss, "A task has no table of descriptors.",
      "Copy the fdinfo image again, or dump again: CRIU restores the task with nothing open."},
     find_missing_tables},
    {{"file-ids", Severity::error, "A file has two numbers.", "Take files.img from the dump as it was written."},
     find_two_ids},
    {{"descriptor-file", Severity::error, "A descriptor refers to a file that is not in the images.",
      "Take files.img and the fdinfo image from the same dump."},
     find_unknown_files},
    {{"descriptor-twice", Severity::error, "A descriptor stands twice in its table.",
      "Take the fdinfo image from the dump as it was written."},
     find_descriptors_twice},
    {{"fs-missing", Severity::error, "A task has no root and working directory.",
      "Copy the image again, or dump again."},
     find_missing_fs},
    {{"directory-file", Severity::error, "A root or working directory is not in the images.",
      "Take files.img and the fs image from the same dump."},
     find_directories},
    {{"remap-file", Severity::error, "What stands in for an unlinked file, or the file, is not in the images.",
      "Take files.img and remap-fpath.img from the same dump."},
     find_remaps},
    {{"file-unclaimed", Severity::loss, "A file was open, and is open in no task.",
      "Take ids, fdinfo and files images from the same dump."},
     find_unclaimed_files},
    {{"ghost-missing", Severity::error, "The image with an unlinked file is not there.",
      "Copy the ghost-file image again, or dump again."},
     find_ghosts},
    {{"ghost-size", Severity::error, "An unlinked file has not the size that it had.",
      "Copy the ghost-file image again, or dump again."},
     find_short_ghosts},
    {{"ghost-unclaimed", Severity::error, "The image of an unlinked file belongs to no file.",
      "Copy remap-fpath.img again; where there is one, the image may be left over from another dump."},
     find_unclaimed_ghosts},
    {{"path-file", Severity::error, "The path of a named pipe or a terminal is not in the images.",
      "Take files.img from the dump as it was written."},
     find_paths},
    {{"pipe-end", Severity::error, "An end of a pipe is open in no task.",
      "Take ids, fdinfo and files images from the same dump."},
     find_pipe_ends},
    {{"pipe-data", Severity::loss, "Bytes of a pipe have no pipe.",
      "Take files.img and the data image from the same dump."},
     find_pipe_data},
    {{"map-contents", Severity::loss, "What was in a BPF map is not there.",
      "Copy bpfmap-data.img again, or dump again: CRIU makes the map empty."},
     find_map_contents},
    {{"epoll-target", Severity::error, "An epoll waits for a descriptor that is not open.",
      "Take fdinfo and files images from the same dump."},
     find_watched},
    {{"needs-inherit-fd", Severity::error, "A file from outside was open, which the restore must be given.",
      "Give --inherit-fd fd[N]:KEY to the restore."},
     find_external},
    {{"needs-file-locks", Severity::loss, "There are file locks.", "Give --file-locks to the restore."}, find_locks},
    {{"lock-owner", Severity::error, "A file lock is held by a task that is not in the tree.",
      "Take filelocks.img and pstree.img from the same dump."},
     find_lock_owners},
    {{"lock-descriptor", Severity::error, "A file lock is held by a descriptor that its task does not have.",
      "Take filelocks.img, fdinfo and pstree images from the same dump."},
     find_locked},
    {{"signal-owner", Severity::error, "Signals of a file go to a task or a group that is not in the tree.",
      "Take files.img and pstree.img from the same dump. Where the tree shares its pid namespace, the signals go to "
      "who has that pid then, and without anybody the restore fails."},
     find_owners},
};

}  // namespace

std::span<const RuleRow> files_rules() { return rows; }

}  // namespace critpipe
