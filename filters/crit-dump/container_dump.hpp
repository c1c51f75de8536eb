// crit-dump --container: which container, by which way, and where its checkpoint goes.
#pragma once

#include <optional>
#include <string>

#include "cli/filter.hpp"
#include "crit-dump/dump_target.hpp"
#include "critpipe/control/containers.hpp"

namespace critpipe::filters {

inline constexpr Option container_options_rows[] = {
    Option{0, "container", "NAME", "Dump this container, by name or id; it runs on, unless --stop is said."}.excludes(
        "tree leave-stopped shell-job"),
    Option{0, "engine", "ENGINE", "The engine that has the container: docker, podman, containerd, lxc, runc or crun."}
        .needs("container")
        .one_of("docker podman containerd lxc runc crun"),
    Option{0, "via", "WAY", "Have the engine make the checkpoint (engine), or ask CRIU directly (criu)."}
        .needs("container")
        .one_of("engine criu"),
    Option{0, "stop", nullptr, "End the container with the dump."}.needs("container").excludes("leave-running"),
    Option{0, "name", "NAME", "What the checkpoint is called (the container's name and the time)."}.needs("container"),
    Option{0, "dir", "DIR", "Put the checkpoint into DIR/NAME (/var/lib/critpipe).", Option::directories}
        .needs("container")
        .excludes("into output"),
    Option{0, "tcp", nullptr, "The same as --tcp-established."}.excludes("tcp-close"),
};

class ContainerDump {
 public:
  // Finds the container that the options name. An error is reported, and the program has failed.
  explicit ContainerDump(Program& program);

  explicit operator bool() const { return is_wanted_; }
  pid_t pid() const { return container_.pid; }
  bool stays() const { return is_wanted_ && stays_; }
  const CriuOptions& options() const { return options_; }
  std::optional<std::string> directory() const { return directory_; }  // of the images; none: they go elsewhere

  // The engine, or CRIU; and why is said.
  void choose_way(const CriuOptions& options, bool streams);
  // Says what will happen, and adds to the job what a container needs.
  void prepare(DumpJob& job);
  // podman makes an archive by itself, in its own form. A signal stops it if the container runs on.
  bool exports() const;
  void export_archive(DumpJob& job, SignalDescriptor& signals);
  // Prints where the checkpoint is.
  int finish(int exit_code);

 private:
  void say(const DumpJob& job) const;
  std::string description(const CriuOptions& options) const;

  Program& program_;
  bool is_wanted_ = false, stays_ = true, is_default_place_ = false, exports_ = false;
  RunningContainer container_;
  CriuOptions options_;
  DumpWish wish_;
  DumpWay way_ = DumpWay::criu;
  std::string why_;  // this way; empty: because it was asked for
  std::string name_;
  std::optional<std::string> directory_;
};

}  // namespace critpipe::filters
