// A compressor between two pipes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "critpipe/control/process.hpp"
#include "critpipe/output.hpp"

namespace critpipe::filters {

// What is written into fd() goes on compressed. A thread does it.
class PipePacker {
 public:
  using MakePacker = std::function<std::unique_ptr<ZstdOutput>(Output& below)>;
  // `to` is the write end of a pipe, which is not needed afterwards. Reasons: io_open.
  PipePacker(int to, MakePacker make, Error& error);
  ~PipePacker();  // what has not gone on is dropped. Requires: the pipe has no reader any more
  PipePacker(const PipePacker&) = delete;
  PipePacker& operator=(const PipePacker&) = delete;

  int fd() const { return in_.fd(); }
  // So many bytes, all that were written so far, have gone on, as a whole archive of zstd; what follows is another one,
  // and zstd reads both as one. `packed`: bytes that have gone on. Reasons: io_write.
  [[nodiscard]] Error settle(std::uint64_t bytes, int stop_fd, std::uint64_t& packed);
  // No more comes. Waits until all has gone on, or until `stops`, which is asked again and again, says yes. Reasons:
  // io_write.
  [[nodiscard]] Error finish(const std::function<bool()>& stops);

 private:
  class Counted;
  void pack();

  OwnedDescriptor in_, out_, to_;
  MakePacker make_;
  std::unique_ptr<Counted> below_;
  std::unique_ptr<ZstdOutput> packer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t taken_ = 0, settles_at_ = ~std::uint64_t{0}, packed_ = 0;
  bool is_settled_ = false, has_ended_ = false, gives_up_ = false;
  Error error_;
  std::thread thread_;
};

}  // namespace critpipe::filters
