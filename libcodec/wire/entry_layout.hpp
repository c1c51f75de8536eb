// The shape of short entries: where their tags, lengths and values stand. Internal.
//
// Entries of a pagemap come in a few shapes. One of the shape of a canonical entry is canonical if its values are,
// which takes a few comparisons of 16 bytes at a time in the place of a walk over its fields.
#pragma once

#include <array>
#include <bit>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "critpipe/fields.hpp"

namespace critpipe {

class EntryLayout {
 public:
  static constexpr std::size_t room = 32;

  // What `entry`, size and payload, looks like. False: it has no shape. Requires: it is canonical.
  bool learn(const Message& message, Bytes entry);

  // How many bytes of the entries at the front have this shape. The last `room` bytes are not looked at.
  std::size_t run(Bytes entries) const { return size_ <= sizeof(Block) ? run<1>(entries) : run<parts>(entries); }
  std::size_t size() const { return size_; }  // of an entry

 private:
  using Block = std::uint8_t __attribute__((vector_size(16)));
  static constexpr std::size_t parts = room / sizeof(Block);

#ifdef __SSE2__
  static Block saturated_difference(Block left, Block right) {
    return std::bit_cast<Block>(_mm_subs_epu8(std::bit_cast<__m128i>(left), std::bit_cast<__m128i>(right)));
  }
  static bool is_zero(Block block) {
    return _mm_movemask_epi8(_mm_cmpeq_epi8(std::bit_cast<__m128i>(block), _mm_setzero_si128())) == 0xffff;
  }
#else
  static Block saturated_difference(Block left, Block right) { return (left > right) & (left - right); }
  static bool is_zero(Block block) {
    std::uint64_t words[2];
    std::memcpy(words, &block, sizeof words);
    return (words[0] | words[1]) == 0;
  }
#endif

  // By how much bytes of an entry are more than they may be.
  template <std::size_t nr_parts>
  Block over(const std::byte* at) const {
    Block over{};
    for (std::size_t i = 0; i < nr_parts; ++i) {
      Block block;
      std::memcpy(&block, at + i * sizeof block, sizeof block);
      over |= saturated_difference(block - least_[i], span_[i]);
    }
    return over;
  }

  template <std::size_t nr_parts>
  std::size_t run(Bytes entries) const {
    const std::byte* at = entries.data();
    const std::byte* const end = at + entries.size();
    const auto left = [&] { return static_cast<std::size_t>(end - at); };
    while (left() >= 2 * room && is_zero(over<nr_parts>(at) | over<nr_parts>(at + size_))) at += 2 * size_;
    while (left() >= room && is_zero(over<nr_parts>(at))) at += size_;
    return static_cast<std::size_t>(at - entries.data());
  }

  bool learn_message(const Message& message, const std::byte* begin, std::size_t at, std::size_t end);
  bool learn_varint(Type type, std::size_t at, std::size_t end);
  void allow(std::size_t at, unsigned least, unsigned most);

  std::size_t size_ = 0;
  Block least_[parts];  // of each byte
  Block span_[parts];   // and how much more it may be
};

// The shapes that were met last.
class RecentLayouts {
 public:
  // Moves `at` past the entries whose shapes are known; returns how many.
  std::size_t take(const std::byte*& at, const std::byte* end) {
    std::size_t entries = 0;
    for (std::size_t tried = 0; tried < nr_shapes_; ++tried) {
      const EntryLayout shape = shapes_[last_];
      if (const std::size_t bytes = shape.run({at, end})) {
        at += bytes;
        entries += bytes / shape.size();
        tried = 0;
      }
      last_ = last_ + 1 < nr_shapes_ ? last_ + 1 : 0;
    }
    return entries;
  }

  // After take() took `known` entries and the next one was found canonical the long way.
  void learn(const Message& message, Bytes entry, std::size_t known);

 private:
  static constexpr std::int64_t patience = 64;

  std::array<EntryLayout, 4> shapes_;
  std::size_t nr_shapes_ = 0;
  std::size_t last_ = 0;
  std::size_t oldest_ = 0;
  std::int64_t credit_ = patience;  // entries that have gone the short way, less what learning has cost
};

}  // namespace critpipe
