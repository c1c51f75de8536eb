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
    double zstd = 0, lz4 = 0;
  };
  Sizes compressed(Bytes block);  // the size of the block where it grows; std::bad_alloc: no working memory

 private:
  struct Room;
  std::unique_ptr<Room> room_;
};

// What zstd and lz4 would make of pages, from a sample of their blocks. Which ones are in it depends on nothing but
// their places in the pages images, so that the same pages give the same figures whatever they come from, in any order
// and on any number of threads. Blocks of zeros are counted, not compressed: they take next to nothing, or are a hole.
class CompressionSample {
 public:
  static constexpr std::size_t block_bytes = 32 << 10;
  static constexpr std::size_t most_blocks = 64;

  struct Place {
    std::uint64_t mixed;  // the blocks with the smallest are taken
    std::uint64_t pages_id, block;
    static Place of(std::uint64_t pages_id, std::uint64_t block);
    auto operator<=>(const Place&) const = default;
  };

  void count(std::uint64_t nr_blocks, std::uint64_t nr_filled);  // those that are not all zeros
  // Is the block in the sample, as far as is known? If so it is wanted by add(), unless it is all zeros.
  bool takes(const Place& place) const { return blocks_.size() < most_blocks || place < blocks_.back().place; }
  // What add() keeps until compress(), up to 2 MiB: it makes room for it if nobody has. std::bad_alloc: there is none.
  void make_room();
  void add(const Place& place, Bytes bytes);   // once for each place
  void merge(const CompressionSample& other);  // blocks without counts; requires: all of both is compressed
  void cut(std::uint64_t pages_id, std::uint64_t nr_blocks);  // takes out those behind so many of the image
  void compress(Compressors& compressors);                    // std::bad_alloc: not all is compressed

  // Requires: all is compressed.
  CompressionEstimate zstd() const { return estimate(&Compressors::Sizes::zstd); }
  CompressionEstimate lz4() const { return estimate(&Compressors::Sizes::lz4); }

 private:
  struct Block {
    Place place = {};
    std::size_t size = 0;
    std::byte* bytes = nullptr;  // in the room; null: they are compressed
    Compressors::Sizes ratios = {};
  };
  CompressionEstimate estimate(double Compressors::Sizes::*method) const;

  std::vector<Block> blocks_;  // in the order of their places
  std::unique_ptr<std::byte[]> room_;
  std::size_t nr_kept_ = 0;  // blocks in it
  std::uint64_t nr_blocks_ = 0, nr_filled_ = 0;
};

}  // namespace critpipe
