// Bare zstd.
#include <zstd.h>

#include "source/reader.hpp"

namespace critpipe {

namespace {

class ZstdReader final : public ByteReader {
 public:
  ZstdReader(Reader below, std::string place)
      : below_{std::move(below)}, place_{std::move(place)}, stream_{ZSTD_createDStream()}, block_(block_bytes) {}

  Bytes read() override {
    if (error_) return {};
    ZSTD_outBuffer out{block_.data(), block_.size(), 0};
    while (out.pos == 0) {
      // What a frame still holds comes before more input is waited for.
      if (in_.pos == in_.size && !(full_ && in_frame_) && !refill()) return {};
      const std::size_t rest = ZSTD_decompressStream(stream_.get(), &out, &in_);
      if (ZSTD_isError(rest)) {
        error_ = {Reason::bad_compression, place_, packed_ - (in_.size - in_.pos)};
        error_.name = std::string{"zstd: "} + ZSTD_getErrorName(rest);
        return {};
      }
      in_frame_ = rest != 0;
      full_ = out.pos == out.size;
    }
    return {block_.data(), out.pos};
  }

  std::uint64_t packed() const override { return packed_; }
  int poll_fd() const override { return -1; }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };

  bool refill() {
    const Bytes block = below_->read();
    packed_ += block.size();
    in_ = {block.data(), block.size(), 0};
    if (!block.empty()) return true;
    error_ = below_->error();
    if (!error_ && in_frame_) {
      error_ = {Reason::cut_compression, place_, packed_};
      error_.name = "zstd";
    }
    return false;
  }

  Reader below_;
  std::string place_;
  std::unique_ptr<ZSTD_DStream, Free> stream_;
  std::vector<std::byte> block_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  std::uint64_t packed_ = 0;
  bool in_frame_ = false;
  bool full_ = false;  // the last call filled the block, so there may be more
};

}  // namespace

Reader unpack_zstd(Reader below, std::string place) {
  return std::make_unique<ZstdReader>(std::move(below), std::move(place));
}

}  // namespace critpipe
