// Compresses frames of zstd on several threads, and gives them back in order.
//
//     FramePacker packer{3, 4};
//     packer.begin(bytes);
//     while (packer.is_full()) put(packer.take());
//
// For one thread at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct ZSTD_CCtx_s;

namespace critpipe {

constexpr std::size_t frame_bytes = 4 << 20;

// One that was packed before its turn, of a whole frame of a file.
struct AheadFrame {
  std::uint64_t from = 0;  // its offset in that file
  int file = -1;           // where it is packed
  std::uint64_t at = 0;
  std::uint32_t size = 0;
  std::uint32_t checksum = 0;
};

struct PackedFrame {
  enum class State : std::uint8_t { waiting, taken, done };
  State state = State::waiting;
  std::unique_ptr<char[]> plain = std::make_unique_for_overwrite<char[]>(frame_bytes);
  std::size_t plain_size = 0;
  std::unique_ptr<char[]> packed = {};
  std::size_t packed_size = 0;
  AheadFrame ahead = {};   // perhaps of the same bytes
  bool was_ahead = false;  // it was of the same bytes
  std::string why = {};    // it failed

  std::uint32_t checksum() const;  // that a packed frame ends with
};

// What one thread packs with.
class FrameContext {
 public:
  explicit FrameContext(int level);
  ~FrameContext();
  FrameContext(const FrameContext&) = delete;
  FrameContext& operator=(const FrameContext&) = delete;
  void pack(PackedFrame& frame);

 private:
  const int level_;
  ZSTD_CCtx_s* const zstd_;
};

class FramePacker {
 public:
  FramePacker(int level, int threads);
  ~FramePacker();
  FramePacker(const FramePacker&) = delete;
  FramePacker& operator=(const FramePacker&) = delete;

  // The threads start with the second frame: most inputs have one.
  void begin(std::unique_ptr<PackedFrame> frame);
  // Is there a frame for each thread, and one that waits? Then one is to be taken before the next begins.
  bool is_full() const { return frames_.size() > (threads_ > 1 ? threads_ : 0); }
  bool is_empty() const { return frames_.empty(); }
  // The oldest frame, when it is packed. Requires: !is_empty().
  std::unique_ptr<PackedFrame> take();

 private:
  void work();
  PackedFrame* take_waiting();

  const int level_;
  const std::size_t threads_;
  std::unique_ptr<FrameContext> own_;  // of the thread that takes
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable begun_, done_;
  bool ends_ = false;
  std::deque<std::unique_ptr<PackedFrame>> frames_;  // the oldest first
};

}  // namespace critpipe
