// Compression of what is written.
#include <zstd.h>

#include "critpipe/output.hpp"

namespace critpipe {

struct ZstdOutput::Context {
  ZSTD_CCtx* stream = ZSTD_createCCtx();
  ~Context() { ZSTD_freeCCtx(stream); }
};

ZstdOutput::ZstdOutput(Output& below, int level, int threads) : below_{below}, context_{std::make_unique<Context>()} {
  ZSTD_CCtx_setParameter(context_->stream, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context_->stream, ZSTD_c_checksumFlag, 1);
  // Fails where the library was built without threads: then one does it.
  if (threads > 1) ZSTD_CCtx_setParameter(context_->stream, ZSTD_c_nbWorkers, threads);
}

ZstdOutput::~ZstdOutput() = default;

bool ZstdOutput::compress(const char* bytes, std::size_t size, bool last) {
  ZSTD_inBuffer in{bytes, size, 0};
  for (;;) {
    const std::size_t room = ZSTD_CStreamOutSize();
    ZSTD_outBuffer out{below_.reserve(room), room, 0};
    const std::size_t rest = ZSTD_compressStream2(context_->stream, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(rest)) {
      error_ = {Reason::io_write};
      error_.name = ZSTD_getErrorName(rest);
      return false;
    }
    below_.commit(static_cast<char*>(out.dst) + out.pos);
    if (below_.step() == Step::stop) return false;
    if (last ? rest == 0 : in.pos == in.size) return true;
  }
}

bool ZstdOutput::drain(const char* bytes, std::size_t size) { return compress(bytes, size, false); }

Step ZstdOutput::finish() {
  if (flush() == Step::stop) return Step::stop;
  return compress(nullptr, 0, true) ? Step::go : Step::stop;
}

}  // namespace critpipe
