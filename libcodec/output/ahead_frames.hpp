// Frames that were packed before their turn.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "critpipe/output.hpp"
#include "output/frame_packer.hpp"

namespace critpipe {

class PackedAhead::Work {
 public:
  Work(int level, std::string room) : level_{level}, room_{std::move(room)} {}
  ~Work();
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  bool pack(int fd);
  void release() { frame_.reset(), context_.reset(); }
  void count_used() { ++nr_used_; }
  std::uint64_t nr_used() const { return nr_used_; }
  // In the order of their offsets; null: none.
  using Frames = std::vector<AheadFrame>;
  const Frames* frames_of(int fd) const;

 private:
  using Identity = std::pair<std::uint64_t, std::uint64_t>;
  bool keep(const PackedFrame& frame, std::uint64_t from, Frames& frames);

  const int level_;
  const std::string room_;
  int file_ = -1;
  std::uint64_t end_ = 0;  // of that file
  std::uint64_t nr_used_ = 0;
  bool is_full_ = false;  // or cannot be made
  std::unique_ptr<PackedFrame> frame_;
  std::unique_ptr<FrameContext> context_;
  std::map<Identity, Frames> frames_;
};

}  // namespace critpipe
