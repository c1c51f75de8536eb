#include <zlib.h>

#include "source/packing.hpp"

namespace critpipe {

namespace {

using State = Unpacked::State;

class Gzip final : public Unpacker {
 public:
  ~Gzip() override { inflateEnd(&stream_); }

  bool begin() override {
    constexpr int gzip_only = 16;
    return (stream_.state ? inflateReset(&stream_) : inflateInit2(&stream_, MAX_WBITS + gzip_only)) == Z_OK;
  }

  Unpacked unpack(Bytes in, std::span<std::byte> room) override {
    return unpack_by(stream_, in, room, [this]() -> Unpacked {
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) return {State::frame_ended};
      if (result == Z_OK || result == Z_BUF_ERROR) return {};
      return unpack_failed(stream_.msg ? stream_.msg : result == Z_MEM_ERROR ? "no memory" : "damaged");
    });
  }

 private:
  z_stream stream_{};
};

}  // namespace

extern const Packing gzip_packing;
const Packing gzip_packing{
    .name = "gz",
    .suffix = ".gz",
    .magic = "\x1f\x8b\x08",
    .make = []() -> std::unique_ptr<Unpacker> { return std::make_unique<Gzip>(); },
    .may_be_padded = true,
};

}  // namespace critpipe
