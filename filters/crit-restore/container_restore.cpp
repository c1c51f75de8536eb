#include "crit-restore/container_restore.hpp"

#include <unistd.h>

#include <filesystem>

#include "cli/criu/criu_program.hpp"
#include "critpipe/control/containers.hpp"

namespace critpipe::filters {

namespace {

// The checkpoint's name, as its directory has it; docker takes letters, digits and a few signs.
std::string name_of_checkpoint(const std::string& directory) {
  std::string name = std::filesystem::path{directory}.filename().string();
  for (char& c : name) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    if (!is_plain) c = '_';
  }
  return name.empty() || name[0] == '.' || name[0] == '_' || name[0] == '-' ? "c" + name : name;
}

// What a runtime has dumped and ended it knows no more: container.json beside the images does.
Error find(const Program& program, const std::string& directory, RunningContainer& container) {
  const std::string name = program.value("container").value_or("");
  const ContainerQuery query{.engine = program.value("engine").value_or(""), .all = true};
  const Error error = find_container(name, query, container);
  if (!error) return {};
  RunningContainer written;
  if (read_container(directory + "/container.json", written)) return error;
  const bool is_it = (written.name == name || written.id == name) && !written.bundle.empty() &&
                     (written.engine == "runc" || written.engine == "crun");
  if (!is_it) return error;
  container = std::move(written);
  return {};
}

}  // namespace

int restore_container(Program& program, const std::optional<Directory>& images) {
  program.refuse(
      {"set", "on", "config", "no-default-config", "criu", "service", "log", "log-level", "ext-unix-sk", "link-remap",
       "manage-cgroups", "network-lock", "lsm-profile", "leave-stopped", "skip-file-rwx-check"},
      "does not go with --container: its engine asks CRIU");
  if (!images || !images->has("inventory.img"))
    program.usage("--container takes one directory of images (crit-cat ARCHIVE --into DIR makes one)");
  // An engine gets a path: of the directory that was opened, whatever has that name by now.
  std::error_code none;
  const std::string directory =
      std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(images->fd()), none).string();
  RunningContainer container;
  Error error = find(program, directory, container);
  if (!error && container.pid)
    error = {.reason = Reason::usage,
             .name = "container " + visible(container.name) + " is " + visible(container.state) +
                     ": only one that does not run is restored into"};
  int tries = 0;
  if (!error) {
    const SignalDescriptor signals;
    const EngineRestore restore{.directory = directory,
                                .name = name_of_checkpoint(directory),
                                .tcp = program.has("tcp") || program.has("tcp-established"),
                                .file_locks = program.has("file-locks"),
                                .stop_fd = signals.fd()};
    error = engine_restore(container, restore, tries);
  }
  RunningContainer now;
  if (!error) error = find_container(container.id, {.engine = container.engine, .all = true}, now);
  if (error) {
    program.report(error);
    return program.exit_code();
  }
  if (tries > 1) program.note(container.engine + " has done it at try " + std::to_string(tries));
  FileOutput output{STDOUT_FILENO, "standard output"};
  output.write(std::to_string(now.pid) + "\n");
  return program.finish(output);
}

}  // namespace critpipe::filters
