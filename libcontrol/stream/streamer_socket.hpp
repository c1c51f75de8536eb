// CRIU's connection: it is made, and requests are read from it.
//
//     connection := (request pipe?)*         request = u32 size, img_streamer_request_entry
//     pipe       := one byte, with one descriptor beside it; for a restore only if we said that the image exists
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "critpipe/control/process.hpp"

namespace critpipe {

class StreamerSocket {
 public:
  explicit StreamerSocket(const char* name) : name_{name} {}
  ~StreamerSocket();
  StreamerSocket(const StreamerSocket&) = delete;
  StreamerSocket& operator=(const StreamerSocket&) = delete;

  const char* name() const { return name_; }
  Error listen(const std::string& directory);
  void connect(OwnedDescriptor connection) { connection_ = std::move(connection); }
  bool is_connected() const { return static_cast<bool>(connection_); }
  int fd() const { return connection_ ? connection_.fd() : listening_.fd(); }  // to wait on, readable
  void close();

  // What the descriptor has for us, without waiting.
  enum class Event : std::uint8_t {
    nothing,    // until it is readable again
    connected,  // fd() is another now
    request,    // of the image called text(); reply() or take_pipe() follows
    pipe,       // in pipe()
    closed,     // CRIU is done
    failed      // error says why
  };
  Event next(Error& error);
  const std::string& text() const { return text_; }
  OwnedDescriptor& pipe() { return pipe_; }

  void take_pipe() { wants_pipe_ = true; }  // it comes next
  [[nodiscard]] Error reply(bool exists);   // and take_pipe() if so

 private:
  Event accept(Error& error);
  Event fill(std::size_t size, Error& error);
  Event take_request(Error& error);
  ssize_t receive(void* into, std::size_t size);
  void unlink_name();

  const char* name_;
  OwnedDescriptor directory_;  // where the name is, as long as it is
  std::uint64_t inode_ = 0;    // of the socket that has it
  OwnedDescriptor listening_, connection_;
  OwnedDescriptor pipe_;
  bool wants_pipe_ = false;
  std::string got_;  // of a request that is not complete
  std::string text_;
};

}  // namespace critpipe
