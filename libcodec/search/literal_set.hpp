// Finds many literals in one pass. Internal.
//
// Of each literal, its first few pieces of up to four bytes are known; as many of them as there are, so far apart are
// the places that are looked at: wherever a literal stands, one of them is a known piece of it. Most places are told
// apart by one bit of a table that fits the nearest cache.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/image.hpp"

namespace critpipe::search {

class LiteralSet {
 public:
  struct Literal {
    std::string text;
    bool caseless = false;  // ignore the case of ASCII letters
  };
  static constexpr std::size_t shortest = 3;

  // Requires: each has at least so many bytes.
  explicit LiteralSet(std::vector<Literal> literals);

  std::size_t longest() const { return longest_; }

  // Calls hit(place, number of the literal) for each that lies in `bytes`, at or behind `from`. For each literal, places
  // ascend; all of them together do but for a few bytes.
  template <typename Hit>
  void find(Bytes bytes, std::size_t from, Hit hit) const;

 private:
  struct Piece {
    std::uint32_t value;
    std::uint32_t literal;
    std::uint32_t offset;  // in it
    std::uint32_t next;    // of the same slot; none: none
  };
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  static constexpr std::size_t at_once = 8;  // places

  std::uint32_t value_at(const char* place) const;
  bool may_be(std::uint32_t value) const {
    const std::uint32_t bit = (value * 0x9e3779b1u) >> shift_;
    return (bits_[bit / 32] >> (bit % 32) & 1) != 0;
  }
  std::size_t slot_of(std::uint32_t value) const { return (value * 0x85ebca6bu) >> slot_shift_; }
  bool is_at(const Literal& literal, const char* place) const;
  template <typename Hit>
  void look(std::string_view text, std::size_t from, std::size_t place, std::uint32_t value, Hit& hit) const;

  std::vector<Literal> literals_;
  std::size_t longest_ = 0;
  std::size_t stride_ = 1;
  std::uint32_t mask_ = 0, fold_ = 0;
  unsigned shift_ = 0, slot_shift_ = 0;
  std::vector<std::uint32_t> bits_;
  std::vector<std::uint32_t> slots_;  // to pieces
  std::vector<Piece> pieces_;
};

inline std::uint32_t LiteralSet::value_at(const char* place) const {
  std::uint32_t value;
  std::memcpy(&value, place, sizeof value);
  return (value & mask_) | fold_;
}

template <typename Hit>
void LiteralSet::look(std::string_view text, std::size_t from, std::size_t place, std::uint32_t value, Hit& hit) const {
  if (!may_be(value)) return;
  for (std::uint32_t next = slots_[slot_of(value)]; next != none; next = pieces_[next].next) {
    const Piece& piece = pieces_[next];
    if (piece.value != value || piece.offset > place) continue;
    const std::size_t begin = place - piece.offset;
    const Literal& literal = literals_[piece.literal];
    if (begin < from || text.size() - begin < literal.text.size() || !is_at(literal, text.data() + begin)) continue;
    hit(begin, std::size_t{piece.literal});
  }
}

template <typename Hit>
void LiteralSet::find(Bytes bytes, std::size_t from, Hit hit) const {
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  const std::size_t stride = stride_;
  std::size_t place = from;
  for (; place + at_once * stride + 4 <= text.size(); place += at_once * stride) {
    const char* const at = text.data() + place;
    bool any = false;
    for (std::size_t i = 0; i < at_once; ++i) any |= may_be(value_at(at + i * stride));
    if (!any) [[likely]]
      continue;
    for (std::size_t i = 0; i < at_once; ++i) look(text, from, place + i * stride, value_at(at + i * stride), hit);
  }
  for (; place < text.size(); place += stride) {
    char rest[4] = {};
    std::memcpy(rest, text.data() + place, std::min<std::size_t>(sizeof rest, text.size() - place));
    look(text, from, place, value_at(rest), hit);
  }
}

}  // namespace critpipe::search
