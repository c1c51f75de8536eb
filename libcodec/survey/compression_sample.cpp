// What compressors would make of pages.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <lz4.h>
#include <new>
#include <zstd.h>
#include <zstd_errors.h>

#include "survey/compression_sample.hpp"

namespace critpipe {

namespace {

constexpr int zstd_level = 3;  // zstd's own default, and podman's

// splitmix64's last steps: every bit of the result depends on every bit of the number.
std::uint64_t mix(std::uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
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

CompressionSample::Place CompressionSample::Place::of(std::uint64_t pages_id, std::uint64_t block) {
  return {mix(mix(pages_id + 1) + block), pages_id, block};
}

void CompressionSample::count(std::uint64_t nr_blocks, std::uint64_t nr_filled) {
  nr_blocks_ += nr_blocks;
  nr_filled_ += nr_filled;
}

void CompressionSample::make_room() {
  blocks_.reserve(most_blocks);
  if (!room_) room_ = std::make_unique_for_overwrite<std::byte[]>(most_blocks * block_bytes);
}

void CompressionSample::add(const Place& place, Bytes bytes) {
  const auto at = std::ranges::lower_bound(blocks_, place, {}, &Block::place);
  if (!takes(place) || (at != blocks_.end() && at->place == place)) return;
  make_room();
  Block block{place, bytes.size()};
  if (blocks_.size() == most_blocks) {
    block.bytes = blocks_.back().bytes;
    blocks_.pop_back();
  }
  if (!block.bytes) block.bytes = room_.get() + nr_kept_++ * block_bytes;
  std::ranges::copy(bytes, block.bytes);
  blocks_.insert(std::ranges::upper_bound(blocks_, place, {}, &Block::place), block);
}

void CompressionSample::merge(const CompressionSample& other) {
  std::vector<Block> all;
  std::ranges::set_union(blocks_, other.blocks_, std::back_inserter(all), {}, &Block::place, &Block::place);
  if (all.size() > most_blocks) all.resize(most_blocks);
  blocks_ = std::move(all);
}

void CompressionSample::cut(std::uint64_t pages_id, std::uint64_t nr_blocks) {
  std::erase_if(blocks_,
                [&](const Block& block) { return block.place.pages_id == pages_id && block.place.block >= nr_blocks; });
}

void CompressionSample::compress(Compressors& compressors) {
  for (Block& block : blocks_) {
    if (!block.bytes) continue;
    const Compressors::Sizes sizes = compressors.compressed({block.bytes, block.size});
    const auto size = static_cast<double>(block.size);
    block.ratios = {sizes.zstd / size, sizes.lz4 / size};
    block.bytes = nullptr;
  }
  room_.reset();
  nr_kept_ = 0;
  blocks_.shrink_to_fit();  // many samples may wait
}

CompressionEstimate CompressionSample::estimate(double Compressors::Sizes::*method) const {
  CompressionEstimate whole;
  whole.known = nr_filled_ == 0 || !blocks_.empty();
  if (blocks_.empty()) return whole;
  double sum = 0, squares = 0;
  for (const Block& block : blocks_) {
    const double ratio = block.ratios.*method;
    whole.sampled_bytes += block.size;
    sum += ratio;
    squares += ratio * ratio;
  }
  const auto n = static_cast<double>(blocks_.size());
  const auto filled = static_cast<double>(nr_filled_);
  const double mean = sum / n, share = filled / static_cast<double>(nr_blocks_);
  const double spread = n > 1 ? std::max(0.0, (squares - n * mean * mean) / (n - 1)) : 0.25;
  whole.ratio = share * mean;
  whole.error = share * std::sqrt(spread / n * std::max(0.0, 1 - n / filled));
  return whole;
}

}  // namespace critpipe
