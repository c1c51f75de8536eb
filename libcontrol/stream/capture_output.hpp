// One shard of a capture: bytes go to it without waiting, markers from memory and images by splice.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "critpipe/control/image_streamer.hpp"

namespace critpipe {

class CaptureOutput {
 public:
  // The descriptor stays the caller's.
  CaptureOutput(int fd, std::string name, bool copies);
  const Error& error() const { return error_; }

  int fd() const { return fd_; }
  const std::string& name() const { return name_; }
  bool is_busy() const { return sent_ < text_.size() || left_ > 0; }
  bool is_waiting() const { return is_waiting_; }  // for room, which poll() sees
  void may_have_room() { is_waiting_ = false; }
  std::uint64_t room() const;   // about, in bytes
  std::uint64_t chunk() const;  // how much of an image it should get at once, if it is one of several
  const OutputTotals& totals() const { return totals_; }
  void release() { own_.reset(); }

  // What is to be written next: a text, and so many bytes that wait in a descriptor. Requires: is not busy.
  void put(std::string text, int from, std::uint64_t size, const std::string& name);
  // Writes until all is written, or it is waiting. False: error() says why.
  bool pump();

 private:
  enum class Type : std::uint8_t { pipe, socket, file };
  ssize_t write_some(const char* bytes, std::size_t size);
  ssize_t splice_some();
  bool read_some();
  bool moved(ssize_t size);
  bool fail_to_read(int number);

  int fd_;
  OwnedDescriptor own_;  // the same pipe, which does not block
  std::string name_;
  Type type_ = Type::file;
  bool copies_;
  bool reads_ = false;  // what is put at the moment is copied
  bool is_waiting_ = false;
  std::uint64_t capacity_ = 0;  // of a pipe
  std::string text_;
  std::size_t sent_ = 0;  // of it
  int from_ = -1;
  std::uint64_t left_ = 0;  // in it
  std::string image_;       // that it belongs to
  std::chrono::steady_clock::time_point first_;
  OutputTotals totals_;
  Error error_;
};

}  // namespace critpipe
