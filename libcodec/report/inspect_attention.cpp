// What deserves a look.
#include <algorithm>
#include <iterator>
#include <set>
#include <span>
#include <unordered_map>

#include "report/explorers.hpp"
#include "report/inspection_work.hpp"

namespace critpipe {

namespace {

constexpr std::uint64_t bit(std::size_t number) { return std::uint64_t{1} << number; }

struct Found {
  std::string_view code;
  std::string what;
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  std::set<std::uint32_t> pids = {};
};

class Attentions {
 public:
  Found& at(std::string_view code, const std::string& what) {
    const auto [known, is_new] = places_.try_emplace(std::string{code} + ' ' + what, all_.size());
    return is_new ? all_.emplace_back(Found{code, what}) : all_[known->second];
  }
  void add(std::string_view code, const std::string& what, std::uint32_t pid, std::uint64_t bytes = 0) {
    Found& found = at(code, what);
    found.pids.insert(pid);
    found.bytes += bytes;
    ++found.count;
  }
  std::vector<Attention> finish() const {
    std::vector<Attention> all;
    for (const Found& found : all_) {
      std::string text = found.what;
      if (found.bytes > 0)
        text += format(": %zu mapping%s, %s", found.count, found.count == 1 ? "" : "s", size_text(found.bytes).c_str());
      all.push_back({found.code, std::move(text), {found.pids.begin(), found.pids.end()}});
    }
    return all;
  }

 private:
  std::vector<Found> all_;
  std::unordered_map<std::string, std::size_t> places_;  // in all_, by code and what
};

// The user namespaces that are not those of the CRIU that dumped them.
std::set<std::uint32_t> own_user_namespaces(const Inspection& inspection) {
  std::set<std::uint32_t> own;
  for (const InspectedNamespace& one : inspection.namespaces)
    if (one.kind == "user" && one.is_hosts && !*one.is_hosts) own.insert(one.id);
  return own;
}

void look_at_mappings(const Inspection& inspection, const Task& task, Attentions& all) {
  constexpr std::uint32_t write = 2, execute = 4;
  using Kind = Mapping::Kind;
  for (const Mapping& mapping : task.memory.mappings) {
    if (!(mapping.prot & execute)) continue;
    const std::uint64_t size = mapping.end - std::min(mapping.start, mapping.end);
    const Kind kind = mapping.kind();
    const File* const file =
        mapping.has_file() && kind != Kind::memfd ? inspection.checkpoint->file_of(mapping) : nullptr;
    if (file && file->id != task.memory.exe_id && inspection.checkpoint->is_deleted(*file))
      all.add("deleted-code", "runs code of a deleted file, " + visible(inspection.checkpoint->name_of(mapping)),
              task.pid, size);
    if (mapping.prot & write && !mapping.is_shared() && kind != Kind::vsyscall)
      all.add("writable-executable", "private memory both writable and executable", task.pid, size);
    if (kind == Kind::memfd)
      all.add("executable-memfd", "runs code in " + visible(inspection.checkpoint->name_of(mapping)), task.pid, size);
  }
}

void look_at_rights(const Task& task, bool is_container, const std::set<std::uint32_t>& own_users, Attentions& all) {
  const Credentials& own = task.credentials;
  if (!own.is_known) return;
  if (own.uid != own.euid || own.uid != own.suid)
    all.add("setuid", format("setuid: user %u acts as %u", own.uid, own.uid != own.euid ? own.euid : own.suid),
            task.pid);
  if (own.gid != own.egid || own.gid != own.sgid)
    all.add("setgid", format("setgid: group %u acts as %u", own.gid, own.gid != own.egid ? own.egid : own.sgid),
            task.pid);
  for (const std::string_view name : {"sys_admin", "sys_ptrace", "sys_module", "bpf", "net_admin", "dac_read_search"})
    if (has_capability(own.effective, name) && own.euid != 0)
      all.add("capability", "not root, but has " + std::string{name}, task.pid);
  const bool is_hosts = !own_users.contains(task.ids.user_ns);
  if (own.euid == 0 && is_container && is_hosts && task.ids.user_ns != 0)
    all.add("host-root", "root is root of the host, too: no user namespace of its own", task.pid);
  // Within a user namespace of its own, it has them over that one only.
  if (!is_hosts || own.euid != 0 || !is_container) return;
  if (has_capability(own.effective, "sys_ptrace"))
    all.add("ptrace", "may trace other processes (sys_ptrace)", task.pid);
  if (has_capability(own.effective, "sys_admin"))
    all.add("privileged", "has sys_admin, which is nearly all of root", task.pid);
}

}  // namespace

bool is_container(const Inspection& inspection) {
  const auto has_own = [&](std::string_view kind) {
    return std::ranges::any_of(inspection.namespaces, [&](const InspectedNamespace& one) {
      return one.kind == kind && one.is_hosts && !*one.is_hosts;
    });
  };
  return inspection.container.is_known() || (has_own("pid") && has_own("mnt"));
}

void inspect_attention(Inspection& inspection) {
  Attentions all;
  const bool in_container = is_container(inspection);
  const std::set<std::uint32_t> own_users = own_user_namespaces(inspection);
  std::map<std::string, std::set<std::uint32_t>> secrets;
  for (const InspectedProcess& process : inspection.processes) {
    const Task& task = *process.task;
    look_at_mappings(inspection, task, all);
    look_at_rights(task, in_container, own_users, all);
    const bool is_memfd = process.executable.starts_with("/memfd:") || process.executable.starts_with("memfd:");
    if (process.executable_is_deleted)
      all.add("deleted-executable", "runs a deleted file: " + visible(process.executable), task.pid);
    else if (is_memfd) all.add("memfd-executable", "runs from memory: " + visible(process.executable), task.pid);
    if (!process.environment) continue;
    for (const std::string& variable : *process.environment)
      if (looks_secret(variable)) secrets[variable.substr(0, variable.find('='))].insert(task.pid);
  }
  for (const std::string& variable : inspection.container.environment)
    if (looks_secret(variable)) secrets[variable.substr(0, variable.find('='))];
  inspection.attention = all.finish();
  if (secrets.empty()) return;
  Attention attention{"secrets", "environment has what looks like secrets:", {}};
  std::set<std::uint32_t> pids;
  for (const auto& [name, owners] : secrets) {
    attention.parts.push_back({name, {owners.begin(), owners.end()}});
    pids.insert(owners.begin(), owners.end());
  }
  attention.pids = {pids.begin(), pids.end()};
  inspection.attention.push_back(std::move(attention));
}

std::optional<Attention> chosen_of(const Attention& attention, const std::vector<std::uint32_t>& pids) {
  const auto only_chosen = [&](const std::vector<std::uint32_t>& all) {
    std::vector<std::uint32_t> chosen;
    std::ranges::copy_if(all, std::back_inserter(chosen), [&](std::uint32_t pid) { return is_chosen(pids, pid); });
    return chosen;
  };
  Attention chosen{attention.code, attention.text, only_chosen(attention.pids)};
  for (const Attention::Part& part : attention.parts) {
    const bool is_of_none = part.pids.empty();
    if (!is_of_none && only_chosen(part.pids).empty()) continue;
    chosen.parts.push_back(part);
    chosen.text += " " + part.text;
  }
  if (!attention.parts.empty() ? chosen.parts.empty() : !attention.pids.empty() && chosen.pids.empty())
    return std::nullopt;
  return chosen;
}

std::string capability_names(std::uint64_t set) {
  if (set == 0) return "none";
  const std::span<const std::string_view> capabilities = named_capabilities();
  constexpr std::uint64_t of_old_kernels = bit(38) - 1;
  const std::uint64_t all = bit(capabilities.size()) - 1;
  if ((set & all) == all || set == of_old_kernels) return "all";
  constexpr int few = 3;
  if (const std::uint64_t lacks = all & ~set; !(set & ~all) && std::popcount(lacks) <= few)
    return "all but " + capability_names(lacks);
  std::string text;
  for (std::size_t i = 0; i < 64; ++i) {
    if (!(set & bit(i))) continue;
    text += text.empty() ? "" : " ";
    text += i < capabilities.size() ? std::string{capabilities[i]} : format("cap_%zu", i);
  }
  return text;
}

std::size_t nr_capabilities(std::uint64_t set) { return static_cast<std::size_t>(std::popcount(set)); }

bool has_capability(std::uint64_t set, std::string_view name) {
  const std::span<const std::string_view> capabilities = named_capabilities();
  const auto found = std::ranges::find(capabilities, name);
  return found != capabilities.end() && set & bit(static_cast<std::size_t>(found - capabilities.begin()));
}

std::string seccomp_text(const Credentials& credentials) {
  switch (credentials.seccomp_mode) {
    case 0: return "off";
    case 1: return "strict";
    case 2: return "filtered";
    default: return "mode " + std::to_string(credentials.seccomp_mode);
  }
}

std::string user_text(const Credentials& credentials) {
  if (!credentials.is_known) return "?";
  const auto name = [](std::uint32_t id) { return id == 0 ? std::string{"root"} : std::to_string(id); };
  return credentials.euid == credentials.uid ? name(credentials.uid)
                                             : name(credentials.uid) + ">" + name(credentials.euid);
}

}  // namespace critpipe
