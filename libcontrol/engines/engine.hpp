// An engine is one row: how its containers are found, and what it can be asked to do.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "critpipe/control/containers.hpp"
#include "engines/json_answer.hpp"

namespace critpipe {

struct Engine {
  EngineRow row;
  // Its containers; with query.all those that do not run, too. Each is complete but for what /proc says of it.
  void (*list)(const ContainerQuery& query, EngineAnswer& answer, std::vector<RunningContainer>& found);
  MachineFinding (*against)(const RunningContainer& container, const DumpWish& wish);
  Error (*dump)(const RunningContainer& container, const EngineDump& dump, EngineDumpResult& result);
  Error (*restore)(const RunningContainer& container, const EngineRestore& restore, int& tries);
  Error (*changes)(const RunningContainer& container, RootChanges& changes);  // null: it cannot say
  Error (*import)(const EngineImport& import) = nullptr;                      // null: it takes no archives
  // null: only those that were dumped are restored into
  Error (*copy)(const RunningContainer& original, const EngineCopy& copy, int& tries) = nullptr;
};
extern const Engine docker_engine, podman_engine, containerd_engine, runc_engine, crun_engine, lxc_engine;
std::span<const Engine* const> engines();
const Engine* find_engine(std::string_view name);

constexpr std::size_t most_containers = 4096;

// What docker and podman say of a container, which is nearly the same.
void read_inspection(const JsonAnswer& json, RunningContainer& container);
// docker's API, or libpod's, which is nearly the same: who answers, and what its paths begin with.
struct ContainerApi {
  std::string_view who, base;
};
std::string container_path(const ContainerApi& api, const RunningContainer& container, std::string_view rest);
void list_containers(const ContainerApi& api, const std::string& socket, const ContainerQuery& query,
                     EngineAnswer& answer, std::vector<RunningContainer>& found);
[[nodiscard]] Error read_changes(const ContainerApi& api, const RunningContainer& container, RootChanges& changes);
// What the machine says of it: namespaces, cgroups, mounts.
void read_machine(RunningContainer& container);
// Is the process of that pid the one that began then? `start_time` 0: it is filled in.
bool is_process(pid_t pid, std::uint64_t& start_time);
// Have its cgroups been frozen?
bool is_frozen(const RunningContainer& container);
// Of a process that is held by nothing but its pid.
std::vector<RunningCgroup> cgroups_of(pid_t pid);

// A file of the machine that may be large, or not there: up to 4 MiB of it.
std::string small_file(const std::string& path);
// The names in a directory, sorted; none where there is none.
std::vector<std::string> names_in(const std::string& path);
// A directory of images, file by file. Reasons: io_read, io_write.
[[nodiscard]] Error copy_images(const std::string& from, const std::string& to);

Error engine_error(std::string_view who, std::string text);

}  // namespace critpipe
