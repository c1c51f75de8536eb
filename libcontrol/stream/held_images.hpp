// The store of HeldImages: one file without a name, and where in it the images are.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "critpipe/control/image_streamer.hpp"

namespace critpipe {

// A stretch of the file. Blocks are reserved, and take room as they are filled.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // that is filled
  std::uint64_t room = 0;
};

struct HeldImage {
  std::vector<Extent> extents;
  std::uint64_t size = 0;
  bool is_gone = false;  // some of it was served, and its memory is free again
};

struct HeldImages::Store {
  struct Incoming {
    std::string name;
    HeldImage* image = nullptr;  // null: its bytes go to the descriptor
    OwnedDescriptor* passed = nullptr;
  };

  Error append(HeldImage& image, Bytes bytes, const std::string& name);
  Error pass(int fd, Bytes bytes, const std::string& name) const;
  // Up to `into.size()` bytes from `offset` on; fewer: the image ends, or error is set.
  std::size_t read(const HeldImage& image, std::uint64_t offset, std::span<std::byte> into, Error& error) const;
  void free(const Extent& extent) const;
  void keep_first(const Error& fault) {
    if (!error) error = fault;
  }
  void meet(const SetId& set);

  OwnedDescriptor file;
  std::uint64_t end = 0;  // of what is reserved
  std::map<std::string, HeldImage, std::less<>> images;
  std::unordered_map<std::uint64_t, Incoming> incoming;  // by the id of its member
  std::map<std::string, OwnedDescriptor, std::less<>> passed_on;
  std::map<std::string, bool, std::less<>> was_passed_on;
  // Of which the images are; nothing is kept once there is a second.
  std::vector<SetId> sets;
  std::vector<std::uint64_t> bytes_read;
  std::vector<SocketChange> changes;
  Error error;
};

}  // namespace critpipe
