// Where the frames of a zstd file lie, without unpacking them: from its table of frames (output/seek_table.hpp), or
// from the heads of its frames and blocks.
//
// Sources of the facts: RFC 8878, zstd's contrib/seekable_format.
#pragma once

#include <memory>
#include <optional>

#include "critpipe/input_file.hpp"
#include "critpipe/base.hpp"

namespace critpipe {

struct ZstdFrame {
  std::uint64_t at = 0;           // in the file
  std::uint64_t packed = 0;       // bytes
  std::uint64_t unpacked = 0;     // bytes
  bool is_as_neighbours = false;  // the table says the same size of the one before and the one behind it
  // What its head says, where that was looked at.
  bool says_size = false;                      // that it holds as much, and unpacking holds it to that
  bool has_checksum = false;                   // it ends with one
  std::optional<std::uint32_t> checksum = {};  // what the table says it is
};

// The frames of one file, in order.
class ZstdFrames {
 public:
  enum class Next : std::uint8_t {
    frame,
    end,    // there are no more
    plain,  // from `at` on, frames do not say what they hold
    wrong   // the table is wrong; or the file cannot be read: error
  };
  virtual ~ZstdFrames() = default;
  virtual Next next(ZstdFrame& frame) = 0;
  // Looks at the head of one of them. False: the file cannot be read: error().
  virtual bool look_at(ZstdFrame& frame) = 0;
  const Error& error() const { return error_; }

 protected:
  Error error_;
};

// Null: the file from `begin` on is to be read from begin to end. The file must outlive what is returned.
std::unique_ptr<ZstdFrames> find_zstd_frames(const InputFile& file, std::uint64_t begin);

// What the head of a frame says.
struct ZstdHead {
  std::size_t bytes = 0;
  bool has_checksum = false;
  std::optional<std::uint64_t> unpacked = {};
};
constexpr std::size_t max_zstd_head_bytes = 18;
// Nothing: it is none, or not all of it is there.
std::optional<ZstdHead> zstd_head(Bytes bytes);

}  // namespace critpipe
