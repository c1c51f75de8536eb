// Unpacks one frame of zstd after the other, each as a stream, and checks it against what is known of it.
#pragma once

#include "source/packing.hpp"
#include "source/zstd_frames.hpp"

namespace critpipe {

// What is wrong with a table of frames; the offset is that of the frame.
Error wrong_table(const std::string& place, std::uint64_t offset);

class FrameStream {
 public:
  // Offsets in errors are counted from `begin`. The file must outlive it.
  FrameStream(const InputFile& file, std::uint64_t begin, std::string place);
  ~FrameStream();

  // The frame before this one may be incomplete.
  void begin(const ZstdFrame& frame);
  // Gives back the memory that it unpacks with, until the next begin().
  void release();
  // A view that lives until the next call. Empty: the frame is complete and good, or error() says why not.
  Bytes read();
  std::uint64_t taken() const { return taken_; }  // packed bytes of the frame
  const Error& error() const { return error_; }

 private:
  struct Sum;
  bool refill();
  void check();
  void fail(const std::string& why);

  const InputFile& file_;
  std::uint64_t begin_;
  std::string place_;
  std::unique_ptr<Unpacker> unpacker_;
  std::unique_ptr<Sum> sum_;  // of what the frame holds, where only the table has it
  ZstdFrame frame_;
  std::unique_ptr<std::byte[]> packed_, block_;
  Bytes in_;  // in packed_
  std::uint64_t read_ = 0, taken_ = 0, given_ = 0;
  bool ended_ = true;
  bool full_ = false;  // the last step filled its room, so there may be more
  Error error_;
};

}  // namespace critpipe
