// Finds many literals in one pass. Internal.
//
// Where the bytes of literals do not follow each other, as in most of what is no text, vectors of bytes are passed
// over. Elsewhere: of each literal, its first few pieces of up to four bytes are known; as many of them as there are,
// so far apart are the places that are looked at: wherever a literal stands, one of them is a known piece of it. Most
// places are told apart by one bit of a table that fits the nearest cache.
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

  // How vectors are passed over; null: they are not.
  using PassOver = std::size_t (*)(const LiteralSet& set, const char* bytes, std::size_t from, std::size_t size);
  static PassOver best_way();
  void use(PassOver way) { pass_over_ = way; }

  // Calls hit(place, number of the literal) for each that lies in `bytes`, at or behind `from`. For each literal,
  // places ascend; all of them together do but for a few bytes.
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
  struct Places {                            // where literals may begin
    std::size_t begin, end;
  };

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
  void look(std::string_view text, Places places, std::size_t place, std::uint32_t value, Hit& hit) const;
  template <typename Hit>
  void find_from(std::string_view text, Places places, Hit& hit) const;
  template <bool is_plain, typename Hit>
  void find_pieces(std::string_view text, Places places, Hit& hit) const;

  static std::size_t pass_over_avx2(const LiteralSet& set, const char* bytes, std::size_t from, std::size_t size);

  static constexpr std::size_t vector_bytes = 64;
  static constexpr std::size_t vector_places = 56;  // at which up to nine bytes are seen
  static constexpr std::size_t most_places = 16 * vector_places;

  PassOver pass_over_ = nullptr;
  alignas(16) std::uint8_t low_half_[16] = {}, high_half_[16] = {};  // which bytes literals have: by low digit
  unsigned nr_followed_ = 0;                                         // that stand in a row
  std::vector<Literal> literals_;
  std::size_t longest_ = 0;
  std::size_t stride_ = 1;
  std::uint32_t mask_ = 0, fold_ = 0;
  unsigned shift_ = 0, slot_shift_ = 0;
  std::vector<std::uint32_t> bits_;
  std::vector<std::uint32_t> slots_;  // to pieces
  std::vector<Piece> pieces_;
};

template <bool is_plain>
std::uint32_t LiteralSet::value_at(const char* place) const {
  std::uint32_t value;
  std::memcpy(&value, place, sizeof value);
  return is_plain ? value : (value & mask_) | fold_;
}

template <typename Hit>
void LiteralSet::look(std::string_view text, Places places, std::size_t place, std::uint32_t value, Hit& hit) const {
  for (std::uint32_t next = slots_[slot_of(value)]; next != none; next = pieces_[next].next) {
    const Piece& piece = pieces_[next];
    if (piece.value != value || piece.offset > place) continue;
    const std::size_t begin = place - piece.offset;
    const Literal& literal = literals_[piece.literal];
    const bool is_here = begin >= places.begin && begin < places.end && text.size() - begin >= literal.text.size();
    if (is_here && is_at(literal, text.data() + begin)) hit(begin, std::size_t{piece.literal});
  }
}

template <typename Hit>
void LiteralSet::find_from(std::string_view text, Places places, Hit& hit) const {
  if (mask_ == ~std::uint32_t{0} && fold_ == 0) find_pieces<true>(text, places, hit);
  else find_pieces<false>(text, places, hit);
}

template <bool is_plain, typename Hit>
void LiteralSet::find_pieces(std::string_view text, Places places, Hit& hit) const {
  const std::size_t stride = stride_;
  const std::size_t end = std::min(text.size(), places.end + stride - 1);
  std::size_t place = places.begin;
  for (; place < end && place + at_once * stride + 4 <= text.size(); place += at_once * stride) {
    const char* const at = text.data() + place;
    unsigned any = 0;
    for (unsigned i = 0; i < at_once; ++i) any |= unsigned{may_be(value_at<is_plain>(at + i * stride))} << i;
    for (; any != 0; any &= any - 1) {
      const std::size_t skip = static_cast<std::size_t>(std::countr_zero(any)) * stride;
      look(text, places, place + skip, value_at<is_plain>(at + skip), hit);
    }
  }
  for (; place < end; place += stride) {
    char rest[4] = {};
    std::memcpy(rest, text.data() + place, std::min<std::size_t>(sizeof rest, text.size() - place));
    const std::uint32_t value = value_at<is_plain>(rest);
    if (may_be(value)) look(text, places, place, value, hit);
  }
}

template <typename Hit>
void LiteralSet::find(Bytes bytes, std::size_t from, Hit hit) const {
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  if (pass_over_)
    for (std::size_t places = vector_places; from + vector_bytes <= text.size(); from += places) {
      const std::size_t next = pass_over_(*this, text.data(), from, text.size());
      // In text, vectors are looked at a few at a time.
      places = next > from ? vector_places : std::min(2 * places, most_places);
      from = next;
      if (from + places > text.size()) break;
      find_from(text, {from, from + places}, hit);
    }
  find_from(text, {from, text.size()}, hit);
}

}  // namespace critpipe::search
