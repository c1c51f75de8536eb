// engines: Containers that engines of this machine run: which there are, what CRIU must be told about one, and whether
// it can be dumped here and now.
//
//     std::vector<EngineAnswer> answers;
//     for (const RunningContainer& one : list_containers({}, answers)) printf("%s\n", one.name.c_str());
//
//     RunningContainer container;
//     Error error = find_container("web", {}, container);  // by name, id, or the first digits of an id
//     CriuOptions options;
//     if (!error) error = container_options(container, options);
//
//     docker      HTTP on its socket
//     podman      HTTP on its socket, or of a service that is started for this
//     containerd  its directories of tasks, and ctr
//     lxc         lxc-ls, lxc-info
//     runc, crun  their directories of states
//
// Engines' answers, directories and /proc are hostile text: bounded in size, unescaped here, and believed only as far
// as /proc/PID agrees. Texts are as they came; visible() is for whoever prints them. Nothing here changes a container
// but engine_dump(), engine_restore(), engine_copy() and engine_import(). An object is for one thread at a time.
//
// Sources of the facts: the APIs of docker and libpod, runc's and crun's state files, the OCI runtime specification.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/container.hpp"
#include "critpipe/control/checks.hpp"
#include "critpipe/control/criu_options.hpp"
#include "critpipe/control/process.hpp"
#include "critpipe/control/socket_changes.hpp"
#include "critpipe/error.hpp"
#include "critpipe/json.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// A mount of a container as its process sees it.
struct RunningMount {
  std::string point, type, device;  // "/vol", "ext4", "8:1"
  std::string root;                 // which part of the file system is mounted: "/", "/srv/vol"
  std::string source;               // of a mount that the engine made from outside: a path of the machine; else empty
  std::string told;                 // what CRIU is told about it, "mnt[/vol]:/vol"; empty: nothing
};

struct RunningNamespace {
  std::string kind, link;  // "net", "net:[4026531840]"
  std::string path;        // by which the engine gave it to the container; empty: the container has made it
  bool is_ours = false;    // shared with this process
};

// Controllers of version 1, "cpu,cpuacct", and the path below their mount; empty: version 2.
struct RunningCgroup {
  std::string controllers, path;
};

struct RunningContainer {
  std::string engine;            // "docker": a name of engine_rows()
  std::string id, name, image;   // image: its name as the user knows it
  std::string state;             // "running", "paused", "exited", ... as the engine says it
  std::string runtime;           // "runc", "crun", "lxc"
  std::string created;           // RFC 3339; empty: not known
  std::string bundle;            // the directory of its OCI bundle; empty: not known
  std::string root;              // its root file system, as a path of the machine; empty: not known
  pid_t pid = 0;                 // 0: it does not run
  std::uint64_t start_time = 0;  // of that process, in clock ticks since boot
  bool has_terminal = false;
  std::string where;  // the engine's socket, directory of states, or namespace
  std::vector<ContainerNetwork> networks;
  std::vector<RunningNamespace> namespaces;
  std::vector<RunningCgroup> cgroups;
  std::vector<RunningMount> mounts;
  std::string upper, lower, work;  // of an overlay: directories of the machine
  std::string inspection;          // what docker or podman itself says of it, as JSON

  bool is_running() const { return pid != 0 && state == "running"; }
  const RunningNamespace* find_namespace(std::string_view kind) const;
};

struct EngineRow {
  std::string_view name;
  std::string_view about;  // how it is asked
};
std::span<const EngineRow> engine_rows();

// What came of asking an engine.
struct EngineAnswer {
  std::string_view engine;
  bool is_here = false;  // there is such an engine on this machine
  std::string version;   // empty: not known
  Error error;           // why it could not be asked
};

struct ContainerQuery {
  std::string engine = {};  // of this one only; empty: of all
  bool all = false;         // those that do not run, too
};

// All containers, engine by engine. Those that docker, podman or containerd run with runc or crun count as theirs.
// `answers` gets one for each engine that was asked.
std::vector<RunningContainer> list_containers(const ContainerQuery& query, std::vector<EngineAnswer>& answers);

// One container, with all that is known of it. Reasons: usage: there is none, or several, or the engine cannot be
// asked.
[[nodiscard]] Error find_container(std::string_view name, const ContainerQuery& query, RunningContainer& container);

// Members of a JSON object that say which container it is: "engine", "id", "name", "image", "state", "pid", "runtime".
void put_container_name(JsonWriter& json, const RunningContainer& container);
// Members of a JSON object that say all of that: "engine", "id", "name", "runtime", "mounts", ...
void put_container(JsonWriter& json, const RunningContainer& container);
// The OCI spec in its bundle, as JSON; empty: there is none.
std::string container_spec(const RunningContainer& container);
// What container.json says of the container that was dumped, but for its state and its process. Reasons: bad_json.
[[nodiscard]] Error read_container(const std::string& path, RunningContainer& container);
[[nodiscard]] Error parse_container(const std::string& text, RunningContainer& container);

// What CRIU must be told to dump it: its process, mounts from outside, namespaces that are not its own, cgroups,
// terminal. The container runs on. Reasons: usage.
[[nodiscard]] Error container_options(const RunningContainer& container, CriuOptions& options);

// That it is paused or does not run. Requires: so it is.
MachineFinding against_state(const RunningContainer& container);

// How a dump can be made.
enum class DumpWay : std::uint8_t { engine, criu };
struct DumpWish {
  bool leave_running = true;
  bool tcp = false, file_locks = false, pre_dump = false;
};
// Why the engine cannot do what is wished, or had better not (a warning); empty: it can. Asks it, and changes nothing.
MachineFinding against_engine(const RunningContainer& container, const DumpWish& wish);
// What there is against a dump here and now, worst first: of the container, of CRIU, and of each process.
std::vector<MachineFinding> check_container(const RunningContainer& container, const CriuOptions& options,
                                            const std::string& criu_program);

// Has the engine dump it. Where it can, it writes into `directory`; else it is said in `result` where the images are.
struct EngineDump {
  DumpWish wish = {};
  std::string name;       // of the checkpoint
  std::string directory;  // an empty one
  int stop_fd = -1;       // readable: give up waiting
  int archive_fd = -1;    // podman: gets its archive, in place of the directory
  // Where the engine can hold the container still from before until the images are made, this is called then. If it
  // fails, so does the dump, and the container runs on.
  std::function<Error()> while_held = {};
};
struct EngineDumpResult {
  std::string kept;  // where the engine keeps the images itself; empty: nowhere
};
// Reasons: usage, with what the engine says.
[[nodiscard]] Error engine_dump(const RunningContainer& container, const EngineDump& dump, EngineDumpResult& result);

// Has the engine restore into the container, which does not run.
struct EngineRestore {
  std::string directory;  // of the images, with descriptors.json
  std::string name;       // of the checkpoint
  bool tcp = false, file_locks = false;
  int stop_fd = -1;
};
// Where the engine is known to fail once, it is asked again; `tries` says how often it was. Reasons: usage.
[[nodiscard]] Error engine_restore(const RunningContainer& container, const EngineRestore& restore, int& tries);

// Has the engine make a new container like one that was dumped, and restore into it.
struct EngineCopy {
  std::string name;                     // of the new container
  std::string checkpoint;               // its name
  std::vector<std::string> ports = {};  // "8080:80": of the machine, of the container; empty: those of the original
  std::vector<SocketChange> addresses = {};
  bool tcp = false, file_locks = false;
  bool has_difference = false;  // there is a rootfs-diff.tar
  std::string directory = {};   // of the images, with descriptors.json, and rootfs-diff.tar and deleted.files if any
  // In its place: fills an empty directory with these.
  std::function<Error(const std::string& directory)> put = {};
  std::function<Error()> look = {};  // called when nothing else is against it, before anything is made
  int stop_fd = -1;
};
// Whether it can be done is seen before anything is made; if it fails, what was made is removed. The original may run.
// Reasons: usage; those of put().
bool engine_copies(std::string_view engine);  // can it at all?
[[nodiscard]] Error engine_copy(const RunningContainer& original, const EngineCopy& copy, int& tries);

// Has the engine make a new container from an archive that it has made itself.
struct EngineImport {
  int archive_fd = -1;
  std::string name;                // of the new container
  std::string runtime;             // that the archive was made with: "runc"; empty: not known
  std::vector<std::string> ports;  // "8080:80": of the machine, of the container
  bool tcp = false, file_locks = false;
  bool keeps_address = false;  // it gets the addresses that its config.dump asks for
  int stop_fd = -1;
};
// Reasons: usage.
[[nodiscard]] Error engine_import(std::string_view engine, const EngineImport& import);

// Is the loopback interface of its network down, as some engines leave it after a restore? Then it is set up. False:
// nothing was to be done, or could be.
bool raise_loopback(const RunningContainer& container);

// Paths that differ from the image, as the engine says; those that are gone.
struct RootChanges {
  std::vector<std::string> changed, deleted;  // "/etc/motd"
  bool is_known = false;
};
[[nodiscard]] Error root_changes(const RunningContainer& container, RootChanges& changes);

}  // namespace critpipe
#pragma GCC visibility pop
