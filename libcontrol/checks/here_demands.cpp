// What a restore of the images will do here, for whoever has to decide whether it may.
#include <fcntl.h>

#include <map>
#include <set>
#include <tuple>

#include "checks/capabilities.hpp"
#include "checks/here_look.hpp"

namespace critpipe {

namespace {

void tell_credentials(HereLook& look) {
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t, bool>, std::vector<const Task*>> groups;
  for (const Task* task : look.running()) {
    const Credentials& had = task->credentials;
    if (had.is_known) groups[{had.euid, had.egid, had.effective, had.no_new_privileges}].push_back(task);
  }
  for (const auto& [key, tasks] : groups) {
    const auto& [uid, gid, set, is_bound] = key;
    std::string text = text_of(tasks) + (tasks.size() == 1 ? " runs" : " run") + " as user " + std::to_string(uid) +
                       " and group " + std::to_string(gid) + ", ";
    text += set == 0 ? "without capabilities" : "with capabilities: " + capability_list(set);
    if (is_bound) text += "; no new privileges";
    look.find(Severity::note, std::move(text), {}, tasks[0]->pid);
  }
}

void tell_programs(HereLook& look) {
  std::map<std::string, std::vector<const Task*>> programs;
  for (const Task* task : look.running())
    if (const File* file = task->memory.exe_id ? look.checkpoint.directory(task->memory.exe_id) : nullptr)
      programs[look.checkpoint.path_of(*file)].push_back(task);
  for (const auto& [path, tasks] : programs)
    look.find(Severity::note, text_of(tasks) + (tasks.size() == 1 ? " runs " : " run ") + visible(path), {},
              tasks[0]->pid);
}

void tell_files(HereLook& look) {
  constexpr std::size_t most = 100;
  std::set<std::string> written;
  for (const HereLook::UsedFile& used : look.files()) {
    if (type_name(used.file->type) != "REG") continue;
    const auto flags = static_cast<int>(entry_number(*used.file->message, used.file->payload, "flags"));
    const std::string path = look.checkpoint.path_of(*used.file);
    if ((flags & O_ACCMODE) == O_RDONLY || !path.starts_with('/') || path.starts_with("/dev/")) continue;
    if (!written.insert(path).second || written.size() > most) continue;
    look.find(Severity::note, text_of(*used.by) + " has " + visible(path) + " open for writing", {}, used.by->pid);
  }
  if (written.size() > most)
    look.find(Severity::note, std::to_string(written.size() - most) + " more files are open for writing");
}

void tell_mounts(HereLook& look) {
  std::size_t own = 0;
  for (const ImageMessage& mount : look.checkpoint.messages("MNTS")) {
    const std::string key = entry_text(*mount.message, mount.payload, "ext_key");
    if (key.empty()) {
      ++own;
      continue;
    }
    const auto value = look.external_value("mnt", key);
    look.find(Severity::note, "the mount " + visible(entry_text(*mount.message, mount.payload, "mountpoint")) +
                                  " comes from outside, by the key " + visible(key) +
                                  (value ? ": from " + visible(*value) : ", which nothing is said of"));
  }
  if (own > 0) look.find(Severity::note, "a mount namespace with " + std::to_string(own) + " mounts is made");
}

constexpr HereCheckRow rows[] = {
    {{"credentials", "whose credentials and capabilities the images ask for", "(nothing)"}, tell_credentials},
    {{"programs", "which programs run", "(nothing)"}, tell_programs},
    {{"written-files", "which files are open for writing", "(nothing)"}, tell_files},
    {{"mounts", "which mounts are made", "(nothing)"}, tell_mounts},
};

}  // namespace

std::span<const HereCheckRow> here_demands() { return rows; }

}  // namespace critpipe
