#include <bzlib.h>

#include "source/packing.hpp"

namespace critpipe {

namespace {

using State = Unpacked::State;

class Bzip2 final : public Unpacker {
 public:
  ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }

  bool begin() override {
    BZ2_bzDecompressEnd(&stream_);
    stream_ = {};
    return BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK;
  }

  Unpacked unpack(Bytes in, std::span<std::byte> room) override {
    return unpack_by(stream_, in, room, [this]() -> Unpacked {
      const int result = BZ2_bzDecompress(&stream_);
      if (result == BZ_STREAM_END) return {State::frame_ended};
      if (result == BZ_OK) return {};
      return unpack_failed(result == BZ_MEM_ERROR          ? "no memory"
                           : result == BZ_DATA_ERROR_MAGIC ? "not a stream of bzip2"
                                                           : "damaged");
    });
  }

 private:
  bz_stream stream_{};
};

}  // namespace

extern const Packing bzip2_packing;
const Packing bzip2_packing{
    .name = "bz2",
    .suffix = ".bz2",
    .magic = "BZh",
    .make = []() -> std::unique_ptr<Unpacker> { return std::make_unique<Bzip2>(); },
};

}  // namespace critpipe
