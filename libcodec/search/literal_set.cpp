#include "search/literal_set.hpp"

#include <bit>

namespace critpipe::search {

namespace {

constexpr std::size_t longest_piece = 4;
constexpr std::size_t most_stride = 8;
constexpr unsigned bits_near = 17, bits_far = 20;  // 16 KiB and 128 KiB: the nearest cache and the next
constexpr std::size_t bits_a_piece = 24;           // so few places fit by chance

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

LiteralSet::LiteralSet(std::vector<Literal> literals) : literals_{std::move(literals)} {
  std::size_t least = ~std::size_t{0};
  bool any_caseless = false;
  for (Literal& literal : literals_) {
    least = std::min(least, literal.text.size());
    longest_ = std::max(longest_, literal.text.size());
    any_caseless = any_caseless || literal.caseless;
    if (literal.caseless) std::ranges::transform(literal.text, literal.text.begin(), lower);
  }
  const std::size_t piece_size = std::min(least, longest_piece);
  stride_ = std::min(least - piece_size + 1, most_stride);
  const auto fits = [&](unsigned bits) { return literals_.size() * stride_ * bits_a_piece <= std::size_t{1} << bits; };
  while (stride_ > 2 && !fits(bits_near)) --stride_;
  while (stride_ > 1 && !fits(bits_far)) --stride_;
  const unsigned bits = fits(bits_near) ? bits_near : bits_far;
  shift_ = 32 - bits;
  bits_.resize((std::size_t{1} << bits) / 32);
  mask_ = piece_size == longest_piece ? ~std::uint32_t{0} : (std::uint32_t{1} << (8 * piece_size)) - 1;
  // Letters of either case are one, and some other bytes, too.
  fold_ = any_caseless ? 0x20202020u & mask_ : 0;
  const auto slot_bits = static_cast<unsigned>(std::bit_width(literals_.size() * stride_ * 2));
  slot_shift_ = 32 - slot_bits;
  slots_.assign(std::size_t{1} << slot_bits, none);
  for (std::size_t number = literals_.size(); number-- > 0;)
    for (std::size_t offset = stride_; offset-- > 0;) {
      char bytes[longest_piece] = {};
      std::memcpy(bytes, literals_[number].text.data() + offset, piece_size);
      const std::uint32_t value = value_at(bytes);
      const std::uint32_t bit = (value * 0x9e3779b1u) >> shift_;
      bits_[bit / 32] |= 1u << (bit % 32);
      std::uint32_t& slot = slots_[slot_of(value)];
      pieces_.push_back({value, static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(offset), slot});
      slot = static_cast<std::uint32_t>(pieces_.size() - 1);
    }
}

bool LiteralSet::is_at(const Literal& literal, const char* place) const {
  if (!literal.caseless) return std::memcmp(place, literal.text.data(), literal.text.size()) == 0;
  return std::equal(literal.text.begin(), literal.text.end(), place, [](char a, char b) { return a == lower(b); });
}

}  // namespace critpipe::search
