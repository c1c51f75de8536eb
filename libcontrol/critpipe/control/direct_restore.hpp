// engines: A container of docker's restored by CRIU alone. docker need not run, and never knows of what is restored.
//
//     RunningContainer dumped;
//     Error error = read_container("web-1/container.json", dumped);
//     CriuSetup setup;
//     CriuOptions options;
//     DirectRestore restore;
//     const DirectPlan plan{.name = "web2", .images = "web-1", .directory = "/srv/web2"};
//     if (!error) error = restore.make(dumped, plan, setup, options);
//     // now restore_from(setup, options, ...), while `restore` lives, and then restore.thaw()
//
// Its root file system is an overlay: the layers of the image, which docker keeps as long as it has that, and above
// them a directory of its own, with the files that the container had when it was dumped. The original is not touched,
// and may run. Its volumes are the same ones. It has cgroups of its own; a network of its own has a loopback interface
// alone.
#pragma once

#include <string>
#include <vector>

#include "critpipe/control/containers.hpp"
#include "critpipe/control/jobs.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

struct DirectPlan {
  std::string name;       // its cgroups are /critpipe-NAME
  std::string images;     // a directory; descriptors.json, rootfs-diff.tar and deleted.files lie with them
  std::string directory;  // an empty one, for as long as it runs: files (what is new), output, errors (what it prints)
  int stop_fd = -1;       // readable: give up
};

// Why it cannot be restored so; looks, and makes nothing. Reasons: usage.
[[nodiscard]] Error against_direct_restore(const RunningContainer& dumped);

class DirectRestore {
 public:
  DirectRestore() = default;
  ~DirectRestore();  // what it has mounted is the container's alone then
  DirectRestore(const DirectRestore&) = delete;
  DirectRestore& operator=(const DirectRestore&) = delete;

  // Makes the root file system, and says to CRIU what it must know. Requires: nothing is against it. Reasons: usage,
  // io_open, io_write, bad_json.
  [[nodiscard]] Error make(const RunningContainer& dumped, const DirectPlan& plan, CriuSetup& setup,
                           CriuOptions& options);
  // Lets it run: it was frozen when it was dumped, and CRIU gives its cgroups the state that they had.
  void thaw() const;

 private:
  [[nodiscard]] Error claim(std::string cgroup);

  std::vector<std::string> cgroups_;      // that it has of its own: where they can be thawed
  std::string root_;                      // where it is mounted; empty: nowhere
  std::vector<OwnedDescriptor> outputs_;  // that it inherits
};

}  // namespace critpipe
#pragma GCC visibility pop
