// Container images that hold a checkpoint: archives whose layers are archives (`podman save`, `skopeo copy`, the
// content store of containerd).
//
//     docker-archive   manifest.json, HEX.json, HEX.tar or HEX/layer.tar; crane: sha256:HEX, HEX.tar.gz
//     OCI, in a tar or a directory   oci-layout, index.json, blobs/ALGORITHM/HEX
//     docker-dir       manifest.json, version, HEX
//
// What tells which blob is which may come behind all of them, so that layers are known by what they are: archives in
// these places. Most layers are file systems, in which anything may stand; what belongs to a checkpoint stands at the
// places where engines put it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace critpipe {

// Has a layer of a container image such a name within it?
bool is_layer_name(std::string_view name);

// What the layer is called in short: as many digits of its digest as engines show; else its directory, or its name
// without what tells how it is packed.
std::string short_layer_name(std::string_view path);

// Where in the input an archive is that is read.
struct NestedPlace {
  enum class Role : std::uint8_t {
    image,        // of a checkpoint
    maybe_image,  // one, if it begins as images do; tell confirm()
    other,        // a file beside images, or a directory
    whiteout,     // says that an image of a layer below is gone
    nothing       // of a file system
  };
  bool in_layer = false;
  bool is_another = false;  // the layer is of another checkpoint: an image of the same name was there before
  // Before the names of a layer's sets: one pass cannot know whether another layer will have images, and in which order
  // they stand must not matter. Empty outside of layers.
  std::string own_set = {};
  std::set<std::string, std::less<>> checkpoints = {};  // directories of the layer that hold images

  // What the file is, by its name.
  Role role_of(std::string_view name, bool is_directory);
  void confirm(std::string_view name);
};

}  // namespace critpipe
