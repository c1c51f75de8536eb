#include <lzma.h>

#include "source/packing.hpp"

namespace critpipe {

namespace {

using State = Unpacked::State;

class Xz final : public Unpacker {
 public:
  ~Xz() override { lzma_end(&stream_); }
  bool begin() override { return lzma_stream_decoder(&stream_, max_window_bytes, 0) == LZMA_OK; }

  Unpacked unpack(Bytes in, std::span<std::byte> room) override {
    return unpack_by(stream_, in, room, [this]() -> Unpacked {
      const lzma_ret result = lzma_code(&stream_, LZMA_RUN);
      if (result == LZMA_STREAM_END) return {State::frame_ended};
      if (result == LZMA_OK || result == LZMA_BUF_ERROR) return {};
      return unpack_failed(text_of(result));
    });
  }

 private:
  static const char* text_of(lzma_ret result) {
    switch (result) {
      case LZMA_MEM_ERROR: return "no memory";
      case LZMA_MEMLIMIT_ERROR: return needs_too_much;
      case LZMA_FORMAT_ERROR: return "not a stream of xz";
      case LZMA_OPTIONS_ERROR: return "options that are not known";
      default: return "damaged";
    }
  }

  lzma_stream stream_ = LZMA_STREAM_INIT;
};

}  // namespace

extern const Packing xz_packing;
const Packing xz_packing{
    .name = "xz",
    .suffix = ".xz",
    .magic = {"\xfd\x37zXZ", 6},
    .make = []() -> std::unique_ptr<Unpacker> { return std::make_unique<Xz>(); },
    .may_be_padded = true,
};

}  // namespace critpipe
