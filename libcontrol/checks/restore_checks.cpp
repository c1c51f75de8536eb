// What of this machine stands in the way of a restore.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "critpipe/checkpoint.hpp"
#include "critpipe/control/checks.hpp"
#include "critpipe/json.hpp"
#include "process/proc_text.hpp"

namespace critpipe {

namespace {

class RestoreLook {
 public:
  RestoreLook(const Checkpoint& checkpoint, const CriuOptions& options) : checkpoint_{checkpoint}, options_{options} {}

  std::vector<DumpFinding> look() {
    if (!has_own_pids()) {
      check_pids();
      check_session();
    }
    // In a mount namespace of its own, paths mean something else here.
    if (checkpoint_.messages("MNTS").empty() || options_.has("root")) check_files();
    return std::move(findings_);
  }

 private:
  void find(std::string_view check, std::string text, std::string advice) {
    findings_.push_back({Severity::error, check, 0, std::move(text), std::move(advice)});
  }

  // A tree that brings its own pid namespace has its process 1.
  bool has_own_pids() const {
    return std::any_of(checkpoint_.tasks().begin(), checkpoint_.tasks().end(),
                       [](const Task& task) { return task.in_tree && task.pid == 1; });
  }

  void check_pids() {
    std::set<std::uint32_t> seen;
    for (const Task& task : checkpoint_.tasks()) {
      if (!task.in_tree) continue;
      check_pid(task.pid, seen);
      for (const Thread& thread : task.threads) check_pid(thread.tid, seen);
    }
  }

  void check_pid(std::uint32_t pid, std::set<std::uint32_t>& seen) {
    if (!seen.insert(pid).second) return;
    const ProcDirectory taken{static_cast<pid_t>(pid)};
    const auto stat = taken ? taken.read("stat") : std::nullopt;
    const auto parsed = stat ? parse_stat(*stat) : std::nullopt;
    if (!parsed) return;
    find("pid-taken",
         "the pid " + std::to_string(pid) + " is taken here by " + visible(parsed->name) +
             (parsed->state == 'Z' ? ", a zombie" : ""),
         "end that process, or restore in a pid namespace of its own (unshare -pf --mount-proc)");
  }

  void check_session() {
    for (const Task& task : checkpoint_.tasks()) {
      const bool is_session = static_cast<pid_t>(task.pid) == getsid(0);
      if (task.in_tree && (is_session || static_cast<pid_t>(task.pid) == getpgrp()))
        find("own-session",
             "our own session or process group has the number of a pid in the images, " + std::to_string(task.pid),
             "run it with setsid");
    }
  }

  void check_files() {
    std::set<std::uint32_t> done = carried_files();
    for (const Task& task : checkpoint_.tasks()) {
      for (const Descriptor& descriptor : checkpoint_.descriptors(task))
        if (const File* file = checkpoint_.find_file(descriptor.type, descriptor.file_id)) check_file(*file, done);
      for (const Mapping& mapping : task.memory.mappings)
        if (const File* file = checkpoint_.file_of(mapping)) check_file(*file, done);
    }
  }

  // Files that the images bring along, since they were unlinked.
  std::set<std::uint32_t> carried_files() const {
    std::set<std::uint32_t> carried;
    for (const ImageMessage& remap : checkpoint_.messages("REMAP_FPATH"))
      if (const Field* field = remap.message->find("orig_id"))
        carried.insert(static_cast<std::uint32_t>(integer_or(*field, *remap.message, remap.payload, 0)));
    return carried;
  }

  void check_file(const File& file, std::set<std::uint32_t>& done) {
    if (type_name(file.type) != "REG" || !done.insert(file.id).second) return;
    const auto number = [&](const char* name) -> std::optional<std::uint64_t> {
      const Field* field = file.message->find(name);
      const auto value = field ? find_value(*field, *file.message, file.payload) : std::nullopt;
      if (!value) return std::nullopt;
      return value->integer;
    };
    const std::string path = checkpoint_.path_of(file);
    if (!path.starts_with('/')) return;
    const std::string there = options_.text("root") + path;
    struct stat status;
    if (stat(there.c_str(), &status) != 0)
      return find("file-missing", "the file " + visible(path) + " is not here", "put it there");
    const auto size = number("size"), mode = number("mode");
    if (S_ISREG(status.st_mode) && size && *size != static_cast<std::uint64_t>(status.st_size))
      find("file-size",
           "the file " + visible(path) + " has " + std::to_string(status.st_size) + " bytes here, and had " +
               std::to_string(*size),
           "put the same file there");
    else if (mode && *mode != status.st_mode && !options_.is_on("skip_file_rwx_check"))
      find("file-mode", "the file " + visible(path) + " has another mode than it had", "--skip-file-rwx-check");
  }

  const Checkpoint& checkpoint_;
  const CriuOptions& options_;
  std::vector<DumpFinding> findings_;
};

}  // namespace

Needs restore_needs() {
  return {.ids = true, .threads = true, .descriptors = true, .mappings = true, .kinds = {"REMAP_FPATH", "MNTS"}};
}

std::vector<DumpFinding> check_before_restore(const Checkpoint& checkpoint, const CriuOptions& options) {
  return RestoreLook{checkpoint, options}.look();
}

}  // namespace critpipe
