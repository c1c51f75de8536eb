// Frames of zstd that are unpacked on several threads before they are read, in order.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "source/zstd_frames.hpp"

namespace critpipe {

// For one thread at a time, which unpacks, too, where it would wait.
class FramesAhead {
 public:
  // Requires: nr_threads > 1. The file must outlive it.
  FramesAhead(const InputFile& file, std::size_t nr_threads);
  ~FramesAhead();
  FramesAhead(const FramesAhead&) = delete;
  FramesAhead& operator=(const FramesAhead&) = delete;

  // Is it worth it, and small enough for 8 MiB a thread?
  static bool suits(const ZstdFrame& frame);
  // Requires: suits(frame).
  void add(const ZstdFrame& frame);
  bool has_room() const { return slots_.size() <= nr_threads_; }
  bool is_empty() const { return slots_.empty(); }
  const ZstdFrame& front() const { return slots_.front()->frame; }
  // What the first frame holds, until pop(). Nothing: it is not what it should be; read as a stream it says why.
  std::optional<Bytes> unpacked();
  void pop();

 private:
  struct Slot {
    enum class State : std::uint8_t { waiting, taken, good, bad };
    ZstdFrame frame;
    State state = State::waiting;
    std::unique_ptr<std::byte[]> bytes = nullptr;  // room for the largest frame; what is not written takes no memory
    bool is_done() const { return state == State::good || state == State::bad; }
  };
  class Room;
  void work();
  Slot* take_waiting();
  Slot::State unpack(Slot& slot, Room& room) const;

  const InputFile& file_;
  const std::size_t nr_threads_;
  std::unique_ptr<Room> own_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable added_, done_;
  bool ends_ = false;
  std::deque<std::unique_ptr<Slot>> slots_;
  std::vector<std::unique_ptr<Slot>> spare_;
};

}  // namespace critpipe
