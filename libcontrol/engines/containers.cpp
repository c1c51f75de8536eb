// All engines asked, one container found, and what CRIU must be told about it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "critpipe/control/jobs.hpp"
#include "engines/engine.hpp"
#include "engines/troubles.hpp"

namespace critpipe {

namespace {

// Those above first: what they run with a runtime is theirs.
constexpr const Engine* all_engines[] = {&docker_engine, &podman_engine, &containerd_engine,
                                         &lxc_engine,    &runc_engine,   &crun_engine};

// "net:[4026531840]" -> "4026531840"
std::string inode_of(const std::string& link) {
  const std::size_t open = link.find('['), close = link.find(']');
  return open == link.npos || close == link.npos ? std::string{} : link.substr(open + 1, close - open - 1);
}

// A cgroup of its own, by which CRIU can freeze all of it at once; empty: it has none.
std::string freezer_of(const RunningContainer& container) {
  for (const RunningCgroup& one : container.cgroups) {
    if (one.path.empty() || one.path == "/" || one.path.find("/..") != one.path.npos) continue;
    const bool is_freezer = one.controllers == "freezer";
    if (!is_freezer && !one.controllers.empty()) continue;
    std::string path = std::string{"/sys/fs/cgroup"} + (is_freezer ? "/freezer" : "") + one.path;
    if (access((path + (is_freezer ? "/freezer.state" : "/cgroup.freeze")).c_str(), F_OK) == 0) return path;
  }
  return {};
}

std::string names_of(const std::vector<const RunningContainer*>& some) {
  std::string names;
  for (const RunningContainer* one : some)
    names.append(names.empty() ? "" : ", ").append(one->engine).append(" ").append(visible(one->name));
  return names;
}

// What CRIU's log says is shorter than what engines make of it. Only of one that was written since `begin`.
void add_log(Error& error, const std::string& path, std::time_t begin) {
  const OwnedDescriptor log{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  struct stat status;
  if (!log || fstat(log.fd(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_mtime < begin) return;
  const std::string first = first_error_of(log.fd()).first;
  if (!first.empty()) error.name = "CRIU: " + visible(first);
}

// Does an engine above have it? Ids of engines are digests; runtimes are given any.
bool is_among(const std::vector<RunningContainer>& all, const RunningContainer& one) {
  constexpr std::size_t digest_digits = 64;
  return std::ranges::any_of(all, [&](const RunningContainer& other) {
    return (one.pid && one.pid == other.pid) || (one.id.size() == digest_digits && one.id == other.id);
  });
}

// Why there is no such container, as far as the engines have answered.
Error not_found(std::string_view name, const std::vector<EngineAnswer>& answers) {
  std::string asked, failed;
  for (const EngineAnswer& one : answers) {
    if (one.is_here && !one.error) asked.append(asked.empty() ? "" : ", ").append(one.engine);
    if (one.error) failed.append("; ").append(one.engine).append(": ").append(to_string(one.error));
  }
  std::string text = "no container " + visible(name);
  text += asked.empty() ? ": no engine was found that could be asked" : " of " + asked;
  return {.reason = Reason::usage, .name = text + failed + " (crit-container list --all shows those that there are)"};
}

}  // namespace

std::span<const Engine* const> engines() { return all_engines; }

const Engine* find_engine(std::string_view name) {
  const auto found = std::ranges::find_if(all_engines, [&](const Engine* one) { return one->row.name == name; });
  return found == std::end(all_engines) ? nullptr : *found;
}

std::span<const EngineRow> engine_rows() {
  static const std::vector<EngineRow> rows = [] {
    std::vector<EngineRow> all;
    for (const Engine* one : all_engines) all.push_back(one->row);
    return all;
  }();
  return rows;
}

const RunningNamespace* RunningContainer::find_namespace(std::string_view kind) const {
  const auto found = std::ranges::find(namespaces, kind, &RunningNamespace::kind);
  return found == namespaces.end() ? nullptr : &*found;
}

std::vector<RunningContainer> list_containers(const ContainerQuery& query, std::vector<EngineAnswer>& answers) {
  std::vector<RunningContainer> all;
  for (const Engine* engine : all_engines) {
    if (!query.engine.empty() && query.engine != engine->row.name) continue;
    EngineAnswer answer{.engine = engine->row.name, .is_here = false, .version = {}, .error = {}};
    std::vector<RunningContainer> found;
    engine->list(query, answer, found);
    std::ranges::sort(found, {}, [](const RunningContainer& one) { return std::pair{one.name, one.id}; });
    for (RunningContainer& one : found) {
      // What an engine still calls its process may have become another one.
      const bool has_process = one.state == "running" || one.state == "paused";
      if (!has_process || !is_process(one.pid, one.start_time)) one.pid = 0;
      if (!is_among(all, one)) all.push_back(std::move(one));
    }
    answers.push_back(std::move(answer));
  }
  return all;
}

Error find_container(std::string_view name, const ContainerQuery& query, RunningContainer& container) {
  std::vector<EngineAnswer> answers;
  ContainerQuery wide = query;
  wide.all = true;
  const std::vector<RunningContainer> all = list_containers(wide, answers);
  std::vector<const RunningContainer*> exact, begun;
  for (const RunningContainer& one : all) {
    if (one.name == name || one.id == name) exact.push_back(&one);
    else if (!name.empty() && one.id.starts_with(name)) begun.push_back(&one);
  }
  if (exact.empty()) exact = begun;
  if (exact.empty()) return not_found(name, answers);
  if (exact.size() > 1)
    return {.reason = Reason::usage,
            .name = "several containers are called " + visible(name) + ": " + names_of(exact) +
                    " (--engine, or a longer id, says which)"};
  container = *exact[0];
  read_machine(container);
  return {};
}

Error container_options(const RunningContainer& container, CriuOptions& options) {
  if (!container.pid) return {.reason = Reason::usage, .name = against_state(container).text};
  Error error = options.set("pid", static_cast<int>(container.pid));
  const auto assign = [&](const std::string& text) {
    if (!error) error = options.assign(text);
  };
  assign("leave_running=true");
  assign("manage_cgroups=true");
  assign("manage_cgroups_mode=soft");
  if (container.has_terminal) assign("orphan_pts_master=true");
  if (container.engine == "lxc")
    for (const char* text : {"auto_ext_mnt=true", "ext_sharing=true", "ext_masters=true"}) assign(text);
  for (const RunningMount& mount : container.mounts)
    if (!mount.told.empty() && container.engine != "lxc" && !error) error = options.add("external", mount.told);
  const auto outside = [&](const char* kind, const char* key) {
    const RunningNamespace* const found = container.find_namespace(kind);
    if (!found || found->is_ours || found->path.empty() || error) return;
    error = options.add("external", std::string{kind} + "[" + inode_of(found->link) + "]:" + key);
  };
  outside("net", "extRootNetNS");
  outside("pid", "extRootPidNS");
  // The engine sets the network up before a restore, so that CRIU must not.
  constexpr unsigned new_network = 0x40000000;
  const RunningNamespace* const network = container.find_namespace("net");
  if (network && !network->is_ours && !error) error = options.set("empty_ns", new_network);
  if (const std::string freezer = freezer_of(container); !freezer.empty() && !error)
    error = options.set("freeze_cgroup", freezer);
  return error;
}

MachineFinding against_engine(const RunningContainer& container, const DumpWish& wish) {
  const Engine* const engine = find_engine(container.engine);
  return engine ? engine->against(container, wish) : MachineFinding{};
}

MachineFinding against_state(const RunningContainer& container) {
  return trouble(container.state == "paused" ? "container-paused" : "container-stopped", container.name);
}

std::vector<MachineFinding> check_container(const RunningContainer& container, const CriuOptions& options,
                                            const std::string& criu_program) {
  std::vector<MachineFinding> findings;
  if (!container.is_running()) findings.push_back(against_state(container));
  if (geteuid() != 0) findings.push_back(trouble("container-privilege"));
  CriuVersion version;
  if (const Error error = Criu{criu_program}.version(version)) {
    findings.push_back(trouble("criu"));
    findings.back().text = to_string(error);
  } else if (constexpr int oldest = 31100; version.number() < oldest) {
    findings.push_back(trouble("criu-version", std::to_string(version.major) + "." + std::to_string(version.minor)));
  }
  if (!findings.empty()) return findings;
  Error error;
  const HeldProcess process = HeldProcess::open(container.pid, error);
  if (error || process.start_time() != container.start_time) return {trouble("container-ended", container.name)};
  findings = check_before_dump(process, options);
  for (MachineFinding& finding : check_criu(criu_program, {.milliseconds = 10000}))
    findings.push_back(std::move(finding));
  std::ranges::stable_sort(findings, {}, &MachineFinding::severity);
  return findings;
}

Error engine_dump(const RunningContainer& container, const EngineDump& dump, EngineDumpResult& result) {
  const Engine* const engine = find_engine(container.engine);
  if (!engine || !engine->dump) return engine_error(container.engine, "it makes no checkpoints");
  const std::time_t begin = std::time(nullptr);
  Error error = engine->dump(container, dump, result);
  for (const std::string& log :
       {container.bundle + "/dump.log", container.bundle + "/criu-dump.log", dump.directory + "/" + dump_log_name})
    if (error && error.reason == Reason::usage) add_log(error, log, begin);
  return error ? with_advice(std::move(error)) : error;
}

Error engine_restore(const RunningContainer& container, const EngineRestore& restore, int& tries) {
  const Engine* const engine = find_engine(container.engine);
  if (!engine || !engine->restore) return engine_error(container.engine, "it restores nothing into a container");
  const std::time_t begin = std::time(nullptr);
  Error error = engine->restore(container, restore, tries);
  for (const char* log : {"/restore.log", "/criu-restore.log"})
    if (error && error.reason == Reason::usage) add_log(error, container.bundle + log, begin);
  return error ? with_advice(std::move(error)) : error;
}

bool engine_copies(std::string_view name) {
  const Engine* const engine = find_engine(name);
  return engine && engine->copy;
}

Error engine_copy(const RunningContainer& original, const EngineCopy& copy, int& tries) {
  const Engine* const engine = find_engine(original.engine);
  if (!engine || !engine->copy) return engine_error(original.engine, "it makes no new container of a checkpoint");
  const Error error = engine->copy(original, copy, tries);
  return error ? with_advice(error) : error;
}

Error engine_import(std::string_view name, const EngineImport& import) {
  const Engine* const engine = find_engine(name);
  if (!engine || !engine->import) return engine_error(name, "it makes no container from an archive");
  const Error error = engine->import(import);
  return error ? with_advice(error) : error;
}

Error root_changes(const RunningContainer& container, RootChanges& changes) {
  const Engine* const engine = find_engine(container.engine);
  return engine && engine->changes ? engine->changes(container, changes) : Error{};
}

}  // namespace critpipe
