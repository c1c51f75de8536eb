// Finds one literal at about the speed of memory. Internal.
//
// Places are candidates where two of its bytes stand, the two that were rarest in what was searched so far: what is
// rare in text is not what is rare in a heap.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "critpipe/image.hpp"

namespace critpipe::search {

class LiteralFinder {
 public:
  static constexpr std::size_t npos = ~std::size_t{0};

  explicit LiteralFinder(std::string literal);

  // Bytes that are searched next.
  void learn(Bytes bytes);
  // Where it begins, at or behind `from`.
  std::size_t find(Bytes bytes, std::size_t from) const;
  std::size_t size() const { return literal_.size(); }

  struct Way {
    const char* name;
    bool (*works_here)();
    std::size_t (*find)(const LiteralFinder& finder, const char* bytes, std::size_t from, std::size_t last);
  };
  static std::span<const Way> all_ways();  // the best that works first
  void use(const Way& way) { way_ = &way; }

  // For the ways.
  bool is_at(const char* place) const;
  std::size_t find_plain(const char* bytes, std::size_t from, std::size_t last) const;
  std::size_t first() const { return first_; }
  std::size_t second() const { return second_; }
  char byte(std::size_t index) const { return literal_[index]; }

 private:
  std::string literal_;
  std::size_t first_ = 0, second_ = 0;  // offsets of the two bytes
  std::array<std::uint32_t, 256> seen_ = {};
  std::size_t nr_seen_ = 0, next_choice_ = 0;
  std::size_t next_sample_ = 0;  // from the beginning of the bytes that are searched next
  const Way* way_;
};

}  // namespace critpipe::search
