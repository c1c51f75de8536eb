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

namespace critpipe {

struct PackedFrame {
  enum class State : std::uint8_t { waiting, taken, done };
  State state = State::waiting;
  std::vector<char> plain = {};
  std::vector<char> packed = {};
  std::string why = {};  // it failed
};

class FramePacker {
 public:
  FramePacker(int level, int threads);
  ~FramePacker();
  FramePacker(const FramePacker&) = delete;
  FramePacker& operator=(const FramePacker&) = delete;

  // The threads start with the second frame: most inputs have one.
  void begin(std::unique_ptr<PackedFrame> frame);
  // Are there as many frames as threads? Then one is to be taken before the next begins.
  bool is_full() const { return frames_.size() >= threads_; }
  bool is_empty() const { return frames_.empty(); }
  // The oldest frame, when it is packed. Requires: !is_empty().
  std::unique_ptr<PackedFrame> take();

 private:
  class Context;
  void work();
  void pack(PackedFrame& frame, Context& context) const;
  PackedFrame* take_waiting();

  const int level_;
  const std::size_t threads_;
  std::unique_ptr<Context> own_;  // of the thread that takes
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable begun_, done_;
  bool ends_ = false;
  std::deque<std::unique_ptr<PackedFrame>> frames_;  // the oldest first
};

}  // namespace critpipe
