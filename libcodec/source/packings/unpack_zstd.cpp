#include <algorithm>
#include <zstd.h>
#include <zstd_errors.h>

#include "source/frames_reader.hpp"
#include "source/packing.hpp"

namespace critpipe {

namespace {

using State = Unpacked::State;

class Zstd final : public Unpacker {
 public:
  ~Zstd() override { ZSTD_freeDStream(stream_); }

  bool begin() override {
    if (!stream_) {
      stream_ = ZSTD_createDStream();
      if (stream_) ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, max_window_log);
    }
    if (stream_) ZSTD_DCtx_reset(stream_, ZSTD_reset_session_only);  // the frame before may be incomplete
    wanted_ = magic_bytes;
    return stream_ != nullptr;
  }

  Unpacked unpack(Bytes in, std::span<std::byte> room) override {
    ZSTD_inBuffer from{in.data(), std::min(in.size(), wanted_), 0};
    ZSTD_outBuffer to{room.data(), room.size(), 0};
    const std::size_t hoped = ZSTD_decompressStream(stream_, &to, &from);
    if (ZSTD_isError(hoped)) {
      const bool is_large = ZSTD_getErrorCode(hoped) == ZSTD_error_frameParameter_windowTooLarge;
      return unpack_failed(is_large ? needs_too_much : ZSTD_getErrorName(hoped));
    }
    wanted_ = up_to_block(hoped, block_head_bytes);
    return {hoped == 0 ? State::frame_ended : State::more, from.pos, to.pos};
  }

 private:
  static constexpr std::size_t magic_bytes = 4;
  static constexpr std::size_t block_head_bytes = 3;
  ZSTD_DStream* stream_ = nullptr;
  std::size_t wanted_ = 0;
};

// A frame to skip, which parallel compressors write first.
bool is_frame_to_skip(std::string_view begin) {
  return begin.size() >= 4 && begin.substr(1, 3) == "\x2a\x4d\x18" && (begin[0] & 0xf0) == 0x50;
}

}  // namespace

extern const Packing zstd_packing;
const Packing zstd_packing{
    .name = "zstd",
    .suffix = ".zst",
    .magic = "\x28\xb5\x2f\xfd",
    .make = []() -> std::unique_ptr<Unpacker> { return std::make_unique<Zstd>(); },
    .has_other_magic = is_frame_to_skip,
    .by_frames = read_by_frames,
};

}  // namespace critpipe
