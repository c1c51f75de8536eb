// The bytes of an unlinked file, which CRIU carries in ghost-file-N. Internal.
#pragma once

#include <functional>

#include "critpipe/image.hpp"
#include "memory/checkpoint_memory.hpp"

namespace critpipe {

// Where in the file the bytes behind an entry are.
std::uint64_t ghost_offset(const Entry& entry);

// Hands on [begin, end) of the file, in order and whole: what no chunk holds, and what is behind its end, is zeros.
class GhostSink final : public Sink {
 public:
  using Take = std::function<Step(Bytes)>;
  GhostSink(std::uint64_t begin, std::uint64_t end, const Take& take) : at_{begin}, end_{end}, take_{take} {}

  Step begin(const Image& image) override;
  Step entry(const Entry& entry) override;
  Step bytes(Bytes bytes) override;
  Step end() override { return zeros_to(end_); }
  // The same from chunks that were held.
  void give(std::span<const MemorySet::HeldChunk> chunks);
  bool is_complete() const { return at_ == end_; }

 private:
  Step zeros_to(std::uint64_t offset);

  std::uint64_t at_, end_;  // what is still wanted
  const Take& take_;
  bool is_ghost_ = false;
  std::uint64_t offset_ = 0;  // in the file, of the bytes that come next
};

}  // namespace critpipe
