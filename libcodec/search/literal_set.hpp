// Finds many literals in one pass. Internal.
//
// Of each literal a window is looked for, the part of it that is likely to be the rarest. Its first few pieces, of up
// to four bytes, are known; as many of them as there are, so far apart are the places that are looked at: wherever a
// window stands, one of them is a known piece of it. Most places are told apart by one bit of a table that fits the
// nearest cache.
//
// Vectors leave places out before: a window has only bytes that windows have, and one that is the rarest of a window.
#pragma once

#include <algorithm>
#include <bit>
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

  // Adds places where pieces may be, from one vector on; returns where it ends. Null: none is left out.
  struct Places;
  using Sift = std::size_t (*)(const LiteralSet& set, std::string_view text, std::size_t from, Places& places);
  static Sift best_sift();
  void use(Sift sift) { sift_ = sift; }

  // Calls hit(place, number of the literal) for each that lies in `bytes`. For each literal, places ascend; all of them
  // together do but for some dozen bytes.
  template <typename Hit>
  void find(Bytes bytes, Hit hit) const;

 private:
  struct Piece {
    std::uint32_t value;
    std::uint32_t literal;
    std::uint32_t offset;  // in it
    std::uint32_t next;    // of the same slot; none: none
  };
  struct ByteSet {
    // By the low digit of bytes: a bit for each high one, those of ASCII first.
    alignas(16) std::uint8_t high_digits[32];
    static std::size_t row_of(unsigned char value) { return value / 128 * 16 + value % 16; }
    static std::uint8_t bit_of(unsigned char value) { return static_cast<std::uint8_t>(1 << value / 16 % 8); }
    void add(const Literal& literal, char byte);
    bool has(char byte) const;
  };
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  static constexpr std::size_t at_once = 8;              // places
  static constexpr std::size_t unsifted = 64 * at_once;  // places
  static constexpr std::size_t vector_bytes = 64;

  std::uint32_t piece_at(const Literal& literal, std::size_t offset) const;
  std::size_t rarest_window(const Literal& literal) const;
  void add(std::uint32_t number, std::size_t window);

  template <bool is_plain>
  std::uint32_t value_at(const char* place) const;
  bool may_be(std::uint32_t value) const {
    const std::uint32_t bit = bit_of(value);
    return (bits_[bit / 32] >> (bit % 32) & 1) != 0;
  }
  std::uint32_t bit_of(std::uint32_t value) const { return (value * 0x9e3779b1u) >> shift_; }
  std::size_t slot_of(std::uint32_t value) const { return (value * 0x85ebca6bu) >> slot_shift_; }
  bool is_at(const Literal& literal, const char* place) const;
  template <typename Hit>
  void look(std::string_view text, std::size_t place, std::uint32_t value, Hit& hit) const;
  template <bool is_plain, typename Hit>
  void look_at(std::string_view text, Places& places, Hit& hit) const;
  template <bool is_plain, typename Hit>
  void look_at_all(std::string_view text, std::size_t from, std::size_t end, Hit& hit) const;
  template <bool is_plain, typename Hit>
  void find_pieces(std::string_view text, Hit& hit) const;

  static std::size_t sift_avx2(const LiteralSet& set, std::string_view text, std::size_t from, Places& places);

  Sift sift_;
  ByteSet all_ = {}, rare_ = {};
  std::size_t window_ = 0;         // bytes
  std::size_t vector_places_ = 0;  // of a vector: those at which it shows whether a window begins
  std::uint64_t looked_at_ = 0;    // which of them are
  std::vector<Literal> literals_;
  std::size_t longest_ = 0;
  std::size_t piece_size_ = 0, stride_ = 1;
  std::uint32_t mask_ = 0, fold_ = 0;
  unsigned shift_ = 0, slot_shift_ = 0;
  std::vector<std::uint32_t> bits_;
  std::vector<std::uint32_t> slots_;       // to pieces
  std::vector<std::uint32_t> nr_in_slot_;  // pieces
  std::vector<Piece> pieces_;
};

struct LiteralSet::Places {
  static constexpr std::size_t enough = 256;
  std::size_t count = 0;
  std::size_t at[enough + vector_bytes];  // all of one more vector, four at a time
};

template <bool is_plain>
std::uint32_t LiteralSet::value_at(const char* place) const {
  std::uint32_t value;
  std::memcpy(&value, place, sizeof value);
  return is_plain ? value : (value & mask_) | fold_;
}

template <typename Hit>
void LiteralSet::look(std::string_view text, std::size_t place, std::uint32_t value, Hit& hit) const {
  for (std::uint32_t next = slots_[slot_of(value)]; next != none; next = pieces_[next].next) {
    const Piece& piece = pieces_[next];
    if (piece.value != value || piece.offset > place) continue;
    const std::size_t begin = place - piece.offset;
    const Literal& literal = literals_[piece.literal];
    const bool fits = text.size() - begin >= literal.text.size();
    if (fits && is_at(literal, text.data() + begin)) hit(begin, std::size_t{piece.literal});
  }
}

// Without a branch for each place: none could be foreseen.
template <bool is_plain, typename Hit>
void LiteralSet::look_at(std::string_view text, Places& places, Hit& hit) const {
  std::size_t nr_left = 0;
  for (std::size_t i = 0; i < places.count; ++i) {
    const std::size_t place = places.at[i];
    places.at[nr_left] = place;
    nr_left += may_be(value_at<is_plain>(text.data() + place));
  }
  for (std::size_t i = 0; i < nr_left; ++i)
    look(text, places.at[i], value_at<is_plain>(text.data() + places.at[i]), hit);
}

template <bool is_plain, typename Hit>
void LiteralSet::look_at_all(std::string_view text, std::size_t from, std::size_t end, Hit& hit) const {
  const std::size_t stride = stride_;
  std::size_t place = from + stride - 1;
  for (; place < end && place + at_once * stride + 4 <= text.size(); place += at_once * stride) {
    const char* const at = text.data() + place;
    unsigned any = 0;
    for (unsigned i = 0; i < at_once; ++i) any |= unsigned{may_be(value_at<is_plain>(at + i * stride))} << i;
    for (; any != 0; any &= any - 1) {
      const std::size_t skip = static_cast<std::size_t>(std::countr_zero(any)) * stride;
      look(text, place + skip, value_at<is_plain>(at + skip), hit);
    }
  }
  for (; place < end; place += stride) {
    char rest[4] = {};
    std::memcpy(rest, text.data() + place, std::min<std::size_t>(sizeof rest, text.size() - place));
    const std::uint32_t value = value_at<is_plain>(rest);
    if (may_be(value)) look(text, place, value, hit);
  }
}

template <bool is_plain, typename Hit>
void LiteralSet::find_pieces(std::string_view text, Hit& hit) const {
  std::size_t from = 0;
  Places places;
  while (sift_ && from + vector_bytes <= text.size()) {
    places.count = 0;
    const std::size_t end = sift_(*this, text, from, places);
    const bool is_most = places.count > (end - from) / stride_ / 4 * 3;
    from = end;
    look_at<is_plain>(text, places, hit);
    if (!is_most) continue;
    // Little was left out, and so it is behind that.
    from = std::min(end + unsifted * stride_, text.size());
    look_at_all<is_plain>(text, end, from, hit);
  }
  look_at_all<is_plain>(text, from, text.size(), hit);
}

template <typename Hit>
void LiteralSet::find(Bytes bytes, Hit hit) const {
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  if (mask_ == ~std::uint32_t{0} && fold_ == 0) find_pieces<true>(text, hit);
  else find_pieces<false>(text, hit);
}

}  // namespace critpipe::search
