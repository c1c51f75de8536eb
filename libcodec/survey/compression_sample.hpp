// Compressing a sample of pages. Internal.
#pragma once

#include "critpipe/survey.hpp"

namespace critpipe {

// The compressors and their working memory, more than 1 MiB, made when the first block comes. For one thread at a time.
class Compressors {
 public:
  Compressors();
  ~Compressors();
  struct Sizes {
    double zstd, lz4;
  };
  Sizes compressed(Bytes block);  // the size of the block where it grows; std::bad_alloc: no working memory

 private:
  struct Room;
  std::unique_ptr<Room> room_;
};

// What zstd and lz4 would make of pages, from a sample: all of the first MiB, then ever fewer blocks, so that the work
// grows with the logarithm of the size. Positions, not chance, choose, so the same pages give the same figures.
class CompressionSample {
 public:
  static constexpr std::size_t block_bytes = 32 << 10;

  // Is the block with that number, counted over everything, in the sample? If so it is wanted by add().
  static bool takes(std::uint64_t block);
  void add(std::uint64_t block, Bytes bytes, Compressors& compressors);  // std::bad_alloc: it is not added
  void merge(const CompressionSample& other);                            // of other blocks of the same pages

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
  static constexpr std::size_t nr_strata = 60;  // for any number of blocks
  using Strata = std::array<Stratum, nr_strata>;
  CompressionEstimate estimate(std::uint64_t nr_blocks, Sum Stratum::*method) const;
  Strata& strata();

  std::unique_ptr<Strata> strata_;  // made when the first block comes: an input may hold many sets without pages
};

}  // namespace critpipe
