// The root file system of a container that does not run: what differs from its image is put there. Internal.
#pragma once

#include <string>

#include "critpipe/control/containers.hpp"
#include "critpipe/control/process.hpp"

namespace critpipe {

// Mounts an overlay of these directories, the topmost of `layers` first. Reasons: io_open.
[[nodiscard]] Error mount_overlay(const std::string& place, const std::vector<std::string>& layers,
                                  const std::string& upper, const std::string& work);

// Seen by us alone, for as long as the object lives: nothing is left mounted.
class RootFiles {
 public:
  // An overlay of these directories, the topmost of `layers` first. Reasons: io_open.
  [[nodiscard]] Error open_overlay(const std::vector<std::string>& layers, const std::string& upper,
                                   const std::string& work);
  // A plain directory. Reasons: io_open.
  [[nodiscard]] Error open(const std::string& directory);

  // Unpacks a tar over it. Reasons: usage.
  [[nodiscard]] Error unpack(int archive_fd, int stop_fd) const;
  // What a checkpoint has beside its images: rootfs-diff.tar unpacked, the paths in deleted.files removed. Reasons:
  // usage, io_open, io_write, bad_json.
  [[nodiscard]] Error unpack_difference(const std::string& directory, int stop_fd) const;
  // Copies what has changed in another one. Reasons: usage.
  [[nodiscard]] Error copy(const RootFiles& other, const std::vector<std::string>& changed, int stop_fd) const;
  // Removes what is no more, without following links. Reasons: io_write.
  [[nodiscard]] Error remove(const std::vector<std::string>& paths) const;
  // Makes an empty directory or file to mount on, and those above it; what is there stays. Reasons: io_write.
  [[nodiscard]] Error make_place(const std::string& path, bool is_file) const;

 private:
  OwnedDescriptor directory_;
};

}  // namespace critpipe
