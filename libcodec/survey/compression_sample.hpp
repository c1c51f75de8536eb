// Compressing a sample of pages. Internal.
#pragma once

#include "critpipe/survey.hpp"

namespace critpipe {

// What zstd and lz4 would make of pages, from a sample: all of the first MiB, then ever fewer blocks, so that the work
// grows with the logarithm of the size. Positions, not chance, choose, so the same pages give the same figures.
class CompressionSample {
 public:
  static constexpr std::size_t block_bytes = 32 << 10;

  CompressionSample();
  ~CompressionSample();
  // Is the block with that number, counted over everything, in the sample? If so it is wanted by add().
  static bool takes(std::uint64_t block);
  void add(std::uint64_t block, Bytes bytes);
  void merge(const CompressionSample& other);  // of other blocks of the same pages

  CompressionEstimate zstd(std::uint64_t nr_blocks) const { return estimate(nr_blocks, &Stratum::zstd); }
  CompressionEstimate lz4(std::uint64_t nr_blocks) const { return estimate(nr_blocks, &Stratum::lz4); }

 private:
  struct Sum {
    double ratios = 0, squares = 0;
  };
  struct Stratum {
    std::uint64_t nr_samples = 0, bytes = 0;
    Sum zstd, lz4;
  };
  struct Compressors;
  CompressionEstimate estimate(std::uint64_t nr_blocks, Sum Stratum::*method) const;

  std::array<Stratum, 48> strata_{};
  std::unique_ptr<Compressors> compressors_;  // made when the first block comes
};

}  // namespace critpipe
