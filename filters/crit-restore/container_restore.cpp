#include "crit-restore/container_restore.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>

#include "cli/criu/criu_program.hpp"
#include "critpipe/control/containers.hpp"
#include "crit-restore/changed_archive.hpp"
#include "crit-restore/container_copy.hpp"
#include "crit-restore/direct_container.hpp"

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

// It runs: says its pid.
int finish(Program& program, const std::string& name, const std::string& engine) {
  RunningContainer now;
  if (Error error = find_container(name, {.engine = engine, .all = true}, now)) {
    program.report(error);
    return program.exit_code();
  }
  if (raise_loopback(now)) program.note(engine + " has left its loopback interface down, which is up now");
  FileOutput output{STDOUT_FILENO, "standard output"};
  output.write(std::to_string(now.pid) + "\n");
  return program.finish(output);
}

bool is_directory(const std::string& path) {
  std::error_code none;
  return std::filesystem::is_directory(path, none);
}

// Asks an engine, until a signal comes, which then ends the program.
Error ask(Program& program, const std::string& engine, const std::function<Error(int stop_fd)>& call) {
  Error error;
  int signal = 0;
  {
    SignalDescriptor signals;
    error = call(signals.fd());
    signal = signals.take();
  }
  if (signal && !error) program.note(name_of_signal(signal) + " came too late: the container runs");
  if (!signal || !error) return error;
  program.note("stopped by " + name_of_signal(signal) + ": " + engine + " may still go on with it");
  end_by_signal(signal);
}

void tell_tries(Program& program, const std::string& engine, int tries) {
  if (tries > 1) program.note(engine + " has done it at try " + std::to_string(tries));
}

// A checkpoint of docker's, in a directory or in a file, becomes a new container.
int copy_container(Program& program, const std::string& input, const std::string& name, const Dumped& dumped) {
  EngineCopy copy{.name = program.value("container").value_or(""), .checkpoint = name_of_checkpoint(name)};
  if (!plan_copy(program, input, name, dumped, copy)) return program.exit_code();
  int tries = 0;
  const Error error = ask(program, dumped.container.engine, [&](int stop_fd) {
    copy.stop_fd = stop_fd;
    return engine_copy(dumped.container, copy, tries);
  });
  if (error) {
    program.report(error);
    return program.exit_code();
  }
  tell_tries(program, dumped.container.engine, tries);
  return finish(program, copy.name, dumped.container.engine);
}

OwnedDescriptor open_archive(Program& program, const std::vector<std::string>& inputs, OwnedDescriptor opened) {
  if (inputs.size() != 1 || is_directory(inputs[0]))
    program.usage("--container takes one directory of images, or one archive that podman has made");
  if (!opened && inputs[0] != "-") {
    opened = OwnedDescriptor{open(inputs[0].c_str(), O_RDONLY | O_CLOEXEC)};
    if (!opened) program.report(system_error(Reason::io_open, inputs[0], errno));
  }
  return opened;
}

bool is_regular(int fd) {
  struct stat about;
  return fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

// By CRIU alone; of what docker or crit-dump has made.
int restore_by_criu(Program& program, std::span<const NamedOption> named, const std::string& directory,
                    const std::vector<std::string>& inputs, OwnedDescriptor opened) {
  if (directory.empty()) opened = open_archive(program, inputs, std::move(opened));
  if (program.failed()) return program.exit_code();
  const int fd = opened ? opened.fd() : STDIN_FILENO;
  if (directory.empty() && !is_regular(fd))
    program.usage("--via criu takes a directory of images, or an archive in a file");
  const std::string input = directory.empty() ? descriptor_path(fd) : directory;
  Dumped dumped = look_at_dumped(input);
  return restore_directly(program, named, input, directory.empty() ? inputs[0] : directory, dumped);
}

int import_container(Program& program, const std::vector<std::string>& inputs, OwnedDescriptor opened) {
  const std::string name = program.value("container").value_or(""), engine = program.value("engine").value_or("podman");
  opened = open_archive(program, inputs, std::move(opened));
  if (program.failed()) return program.exit_code();
  const int fd = opened ? opened.fd() : STDIN_FILENO;
  const std::string path = descriptor_path(fd);
  const Dumped dumped = is_regular(fd) ? look_at_dumped(path) : Dumped{};  // a pipe is the engine's to read
  if (engine_copies(dumped.container.engine)) return copy_container(program, path, inputs[0], dumped);
  if (engine_copies(engine))
    program.usage(engine + " makes a new container of a checkpoint of its own, in a file or a directory");
  if (program.failed()) return program.exit_code();
  RunningContainer other;
  if (!find_container(name, {.engine = engine, .all = true}, other) && other.name == name)
    program.usage(engine + " has a container " + visible(name) +
                  " already: an archive makes a new one, of another name");
  const std::vector<SocketChange> changes = socket_changes(program);
  EngineImport import{.archive_fd = fd,
                      .name = name,
                      .runtime = dumped.runtime,
                      .ports = program.values("publish"),
                      .tcp = program.has("tcp") || program.has("tcp-established"),
                      .file_locks = program.has("file-locks")};
  // Connections end without the address; and two containers cannot have the same one.
  import.keeps_address = !changes.empty() || import.tcp;
  const Error error = ask(program, engine, [&](int stop_fd) {
    import.stop_fd = stop_fd;
    if (!import.keeps_address) return engine_import(engine, import);
    return with_changed_archive(fd, inputs[0], changes, [&](int changed_fd) {
      import.archive_fd = changed_fd;
      return engine_import(engine, import);
    });
  });
  if (error) {
    program.report(error);
    return program.exit_code();
  }
  return finish(program, name, engine);
}

}  // namespace

int restore_container(Program& program, std::span<const NamedOption> named, const std::optional<Directory>& images,
                      const std::vector<std::string>& inputs, OwnedDescriptor archive) {
  // An engine gets a path: of the directory that was opened, whatever has that name by now.
  std::error_code none;
  const bool is_there = images && images->has("inventory.img");
  const std::string directory =
      is_there ? std::filesystem::read_symlink(descriptor_path(images->fd()), none).string() : std::string{};
  if (images && !is_there) program.usage("no checkpoint is in " + visible(images->place()));
  const std::string via = program.value("via").value_or("engine");
  if (via != "engine" && via != "criu") program.usage("--via takes engine or criu, not " + via);
  if (via == "criu") return restore_by_criu(program, named, directory, inputs, std::move(archive));
  program.refuse({"dir"}, "goes with --via criu");
  program.refuse(
      {"set", "on", "config", "no-default-config", "criu", "service", "log", "log-level", "ext-unix-sk", "link-remap",
       "manage-cgroups", "network-lock", "lsm-profile", "leave-stopped", "skip-file-rwx-check", "timeout"},
      "does not go with --container: its engine asks CRIU");
  if (!images) return import_container(program, inputs, std::move(archive));
  RunningContainer container;
  Error error = find(program, directory, container);
  if (error) {
    const Dumped dumped = look_at_dumped(directory);
    if (engine_copies(dumped.container.engine)) return copy_container(program, directory, directory, dumped);
  }
  program.refuse({"publish", "map-address"}, "goes with a new container");
  if (!error && container.pid)
    error = {.reason = Reason::usage,
             .name = "container " + visible(container.name) + " is " + visible(container.state) +
                     ": only one that does not run is restored into"};
  int tries = 0;
  if (!error) {
    EngineRestore restore{.directory = directory,
                          .name = name_of_checkpoint(directory),
                          .tcp = program.has("tcp") || program.has("tcp-established"),
                          .file_locks = program.has("file-locks")};
    error = ask(program, container.engine, [&](int stop_fd) {
      restore.stop_fd = stop_fd;
      return engine_restore(container, restore, tries);
    });
  }
  if (error) {
    program.report(error);
    return program.exit_code();
  }
  tell_tries(program, container.engine, tries);
  return finish(program, container.id, std::string{container.engine});
}

}  // namespace critpipe::filters
