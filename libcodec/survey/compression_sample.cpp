// What compressors would make of pages.
#include <algorithm>
#include <bit>
#include <cmath>
#include <lz4.h>
#include <new>
#include <zstd.h>
#include <zstd_errors.h>

#include "survey/compression_sample.hpp"

namespace critpipe {

namespace {

// Blocks 0..31 are the first stratum, all taken; each further one is as large as all before it and gives 8 blocks.
constexpr std::uint64_t first_blocks = 32;
constexpr std::uint64_t samples_of_later = 8;
constexpr int zstd_level = 3;  // zstd's own default, and podman's

unsigned stratum_of(std::uint64_t block) { return static_cast<unsigned>(std::bit_width(block / first_blocks)); }
std::uint64_t begin_of(unsigned stratum) { return stratum == 0 ? 0 : first_blocks << (stratum - 1); }
std::uint64_t step_of(unsigned stratum) {
  return stratum == 0 ? 1 : std::max<std::uint64_t>(begin_of(stratum) / samples_of_later, 1);
}

}  // namespace

struct Compressors::Room {
  static constexpr std::size_t block_bytes = CompressionSample::block_bytes;

  std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> zstd{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::vector<char> out = std::vector<char>(
      std::max(ZSTD_compressBound(block_bytes), static_cast<std::size_t>(LZ4_compressBound(block_bytes))));
  Room() {
    if (!zstd) throw std::bad_alloc{};
  }
};

Compressors::Compressors() = default;
Compressors::~Compressors() = default;

Compressors::Sizes Compressors::compressed(Bytes block) {
  if (!room_) room_ = std::make_unique<Room>();
  auto& out = room_->out;
  const auto* plain = reinterpret_cast<const char*>(block.data());
  const std::size_t zstd =
      ZSTD_compressCCtx(room_->zstd.get(), out.data(), out.size(), plain, block.size(), zstd_level);
  if (ZSTD_getErrorCode(zstd) == ZSTD_error_memory_allocation) throw std::bad_alloc{};
  const int lz4 = LZ4_compress_default(plain, out.data(), static_cast<int>(block.size()), static_cast<int>(out.size()));
  const auto size = static_cast<double>(block.size());
  return {ZSTD_isError(zstd) ? size : std::min(static_cast<double>(zstd), size),
          lz4 <= 0 ? size : std::min(static_cast<double>(lz4), size)};
}

CompressionSample::Strata& CompressionSample::strata() {
  if (!strata_) strata_ = std::make_unique<Strata>();
  return *strata_;
}

bool CompressionSample::takes(std::uint64_t block) {
  const unsigned stratum = stratum_of(block);
  const std::uint64_t step = step_of(stratum);
  // One in each step, not at the same place in all of them: memory has periods that are powers of two.
  const std::uint64_t turn = (block - begin_of(stratum)) / step;
  return (block - begin_of(stratum)) % step == turn * 0x9e3779b97f4a7c15 % step;
}

void CompressionSample::add(std::uint64_t block, Bytes bytes, Compressors& compressors) {
  const Compressors::Sizes sizes = compressors.compressed(bytes);
  const auto put = [&](Sum& sum, double compressed) {
    const double ratio = compressed / static_cast<double>(bytes.size());
    sum.ratios += ratio;
    sum.squares += ratio * ratio;
  };
  Stratum& stratum = strata()[stratum_of(block)];
  ++stratum.nr_samples;
  stratum.bytes += bytes.size();
  put(stratum.zstd, sizes.zstd);
  put(stratum.lz4, sizes.lz4);
}

void CompressionSample::merge(const CompressionSample& other) {
  if (!other.strata_) return;
  for (std::size_t i = 0; i < nr_strata; ++i) {
    Stratum& into = strata()[i];
    const Stratum& from = (*other.strata_)[i];
    into.nr_samples += from.nr_samples;
    into.bytes += from.bytes;
    for (Sum Stratum::*method : {&Stratum::zstd, &Stratum::lz4}) {
      (into.*method).ratios += (from.*method).ratios;
      (into.*method).squares += (from.*method).squares;
    }
  }
}

CompressionEstimate CompressionSample::estimate(std::uint64_t nr_blocks, Sum Stratum::*method) const {
  CompressionEstimate whole;
  double variance = 0;
  double covered = 0;
  if (!strata_) return whole;
  for (unsigned i = 0; i < nr_strata && begin_of(i) < nr_blocks; ++i) {
    const Stratum& stratum = (*strata_)[i];
    whole.sampled_bytes += stratum.bytes;
    if (stratum.nr_samples == 0) continue;
    const auto blocks = static_cast<double>(std::min(nr_blocks, begin_of(i + 1)) - begin_of(i));
    const auto n = static_cast<double>(stratum.nr_samples);
    const double mean = (stratum.*method).ratios / n;
    const double spread = n > 1 ? std::max(0.0, ((stratum.*method).squares - n * mean * mean) / (n - 1)) : 0.25;
    whole.ratio += blocks * mean;
    variance += blocks * blocks * spread / n * std::max(0.0, 1 - n / blocks);
    covered += blocks;
  }
  if (covered == 0) return whole;
  whole.ratio /= covered;
  whole.error = std::sqrt(variance) / covered;
  return whole;
}

}  // namespace critpipe
