// Memory between a pipe and a slower reader.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "critpipe/control/process.hpp"
#include "critpipe/error.hpp"

namespace critpipe::filters {

// What is written into fd() goes on to another descriptor, and waits in memory, which is a memfd and not the heap, for
// as long as that one has no room. Threads do it; a reader that goes away does not end us by a signal.
class PipeBuffer {
 public:
  static constexpr std::uint64_t everything = ~std::uint64_t{0};
  // Up to `most` bytes wait; about so many are expected, for which memory is taken now: that takes longer than to copy
  // them. Errors call the other descriptor `name`. Reasons: io_open.
  PipeBuffer(int to, std::string name, std::uint64_t most, std::uint64_t expected, Error& error);
  ~PipeBuffer();  // what has not gone on is dropped
  PipeBuffer(const PipeBuffer&) = delete;
  PipeBuffer& operator=(const PipeBuffer&) = delete;

  int fd() const { return in_.fd(); }
  // Waits until so many bytes, of all that were written so far, are in memory, or are gone on to the other descriptor;
  // or until stop_fd is readable. Reasons: io_write.
  [[nodiscard]] Error wait_held(std::uint64_t bytes, int stop_fd) { return wait_for(held_, bytes, stop_fd); }
  [[nodiscard]] Error wait_sent(std::uint64_t bytes, int stop_fd) { return wait_for(sent_, bytes, stop_fd); }
  // No more comes. Waits until all has gone on, or until `stops`, which is asked again and again, says yes. Reasons:
  // io_write.
  [[nodiscard]] Error finish(const std::function<bool()>& stops);

 private:
  // Of what comes: where it begins, in bytes since the beginning, and how much of it; none, no more is to come.
  struct Part {
    std::uint64_t begin = 0, size = 0;
  };
  // Where bytes lie in memory, which is dealt out to the files in stripes, and how much of the stripe follows.
  struct Place {
    int fd = -1;
    off_t offset = 0;
    std::uint64_t room = 0;
  };
  Place place_of(std::uint64_t position) const;
  std::optional<Part> take_part(int pipe);
  bool hold_part(int pipe, Part part);
  void take();
  void send();
  ssize_t write_some(const char* bytes, std::size_t size);
  void fail(const Error& error);
  Error wait_for(const std::uint64_t& count, std::uint64_t bytes, int stop_fd);
  bool waits_for_input();

  int to_;
  bool is_pipe_ = false, is_socket_ = false;
  std::string name_;
  std::uint64_t most_;
  OwnedDescriptor in_, out_, own_to_, stop_, stopped_;
  std::array<OwnedDescriptor, 2> memory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t taken_ = 0, held_ = 0, sent_ = 0;  // bytes since the beginning
  bool has_ended_ = false, gives_up_ = false;
  std::mutex turn_;
  bool is_read_ = false;  // to its end; of whose turn it is
  Error error_;
  std::array<std::thread, 2> takers_;
  std::thread sender_;
};

}  // namespace critpipe::filters
