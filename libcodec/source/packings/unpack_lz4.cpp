#include <algorithm>
#include <lz4frame.h>

#include "source/packing.hpp"

namespace critpipe {

namespace {

using State = Unpacked::State;

class Lz4 final : public Unpacker {
 public:
  ~Lz4() override { LZ4F_freeDecompressionContext(context_); }

  bool begin() override {
    wanted_ = least_head_bytes;
    return context_ || !LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION));
  }

  Unpacked unpack(Bytes in, std::span<std::byte> room) override {
    std::size_t taken = std::min(in.size(), wanted_), given = room.size();
    const std::size_t hoped = LZ4F_decompress(context_, room.data(), &given, in.data(), &taken, nullptr);
    if (LZ4F_isError(hoped)) return unpack_failed(LZ4F_getErrorName(hoped));
    wanted_ = up_to_block(hoped, block_head_bytes);
    return {hoped == 0 ? State::frame_ended : State::more, taken, given};
  }

 private:
  static constexpr std::size_t least_head_bytes = 7;
  static constexpr std::size_t block_head_bytes = 4;
  LZ4F_dctx* context_ = nullptr;
  std::size_t wanted_ = 0;
};

}  // namespace

extern const Packing lz4_packing;
const Packing lz4_packing{
    .name = "lz4",
    .suffix = ".lz4",
    .magic = "\x04\x22\x4d\x18",
    .make = []() -> std::unique_ptr<Unpacker> { return std::make_unique<Lz4>(); },
};

}  // namespace critpipe
