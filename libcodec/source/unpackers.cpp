// zstd, gzip, xz, lz4 and bzip2, each by its own library: libarchive's filters keep back what they unpacked before a
// fault.
#include <algorithm>
#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "source/unpack_reader.hpp"

namespace critpipe {

namespace {

using State = Unpacked::State;

static_assert(max_window_bytes == 128 << 20);
constexpr const char* too_large = "needs more than 128 MiB of memory to unpack";

Unpacked failed(const char* why) { return {State::failed, 0, 0, why}; }

// These two tell where a step ended only if it was good, so that each gets no more than what is left of one block and
// its checksum: less than the number of bytes that they hope for, which has the head of the next block in it.
std::size_t up_to_block(std::size_t hoped, std::size_t head_bytes) {
  return hoped > head_bytes ? hoped - head_bytes : hoped;
}

class Zstd final : public Unpacker {
 public:
  ~Zstd() override { ZSTD_freeDStream(stream_); }

  bool begin() override {
    if (!stream_) {
      stream_ = ZSTD_createDStream();
      if (stream_) ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, max_window_log);
    }
    wanted_ = magic_bytes;
    return stream_ != nullptr;
  }

  Unpacked unpack(Bytes in, std::span<std::byte> room) override {
    ZSTD_inBuffer from{in.data(), std::min(in.size(), wanted_), 0};
    ZSTD_outBuffer to{room.data(), room.size(), 0};
    const std::size_t hoped = ZSTD_decompressStream(stream_, &to, &from);
    if (ZSTD_isError(hoped)) {
      const bool is_large = ZSTD_getErrorCode(hoped) == ZSTD_error_frameParameter_windowTooLarge;
      return failed(is_large ? too_large : ZSTD_getErrorName(hoped));
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
    if (LZ4F_isError(hoped)) return failed(LZ4F_getErrorName(hoped));
    wanted_ = up_to_block(hoped, block_head_bytes);
    return {hoped == 0 ? State::frame_ended : State::more, taken, given};
  }

 private:
  static constexpr std::size_t least_head_bytes = 7;
  static constexpr std::size_t block_head_bytes = 4;
  LZ4F_dctx* context_ = nullptr;
  std::size_t wanted_ = 0;
};

// zlib, liblzma and libbz2 have streams of one form, which read what stands at next_in. run() says how it went.
template <typename Stream, typename Run>
Unpacked unpack_by(Stream& stream, Bytes in, std::span<std::byte> room, Run run) {
  stream.next_in = reinterpret_cast<decltype(stream.next_in)>(const_cast<std::byte*>(in.data()));
  stream.avail_in = static_cast<decltype(stream.avail_in)>(in.size());
  stream.next_out = reinterpret_cast<decltype(stream.next_out)>(room.data());
  stream.avail_out = static_cast<decltype(stream.avail_out)>(room.size());
  Unpacked step = run();
  step.taken = in.size() - stream.avail_in;
  step.given = room.size() - stream.avail_out;
  return step;
}

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
      return failed(stream_.msg ? stream_.msg : result == Z_MEM_ERROR ? "no memory" : "damaged");
    });
  }

 private:
  z_stream stream_{};
};

class Xz final : public Unpacker {
 public:
  ~Xz() override { lzma_end(&stream_); }
  bool begin() override { return lzma_stream_decoder(&stream_, max_window_bytes, 0) == LZMA_OK; }

  Unpacked unpack(Bytes in, std::span<std::byte> room) override {
    return unpack_by(stream_, in, room, [this]() -> Unpacked {
      const lzma_ret result = lzma_code(&stream_, LZMA_RUN);
      if (result == LZMA_STREAM_END) return {State::frame_ended};
      if (result == LZMA_OK || result == LZMA_BUF_ERROR) return {};
      return failed(text_of(result));
    });
  }

 private:
  static const char* text_of(lzma_ret result) {
    switch (result) {
      case LZMA_MEM_ERROR: return "no memory";
      case LZMA_MEMLIMIT_ERROR: return too_large;
      case LZMA_FORMAT_ERROR: return "not a stream of xz";
      case LZMA_OPTIONS_ERROR: return "options that are not known";
      default: return "damaged";
    }
  }

  lzma_stream stream_ = LZMA_STREAM_INIT;
};

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
      return failed(result == BZ_MEM_ERROR          ? "no memory"
                    : result == BZ_DATA_ERROR_MAGIC ? "not a stream of bzip2"
                                                    : "damaged");
    });
  }

 private:
  bz_stream stream_{};
};

}  // namespace

std::unique_ptr<Unpacker> make_unpacker(Packing packing) {
  switch (packing) {
    case Packing::gzip: return std::make_unique<Gzip>();
    case Packing::xz: return std::make_unique<Xz>();
    case Packing::lz4: return std::make_unique<Lz4>();
    case Packing::bzip2: return std::make_unique<Bzip2>();
    case Packing::none:
    case Packing::zstd: break;
  }
  return std::make_unique<Zstd>();
}

}  // namespace critpipe
