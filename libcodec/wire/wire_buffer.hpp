// The bytes of an image as they are made: a buffer that only grows, with the few writes that the wire format needs.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "critpipe/base.hpp"
#include "critpipe/schema.hpp"

namespace critpipe {

constexpr std::uint64_t tag_of(std::uint32_t number, Wire wire) {
  return std::uint64_t{number} << 3 | static_cast<std::uint64_t>(wire);
}

constexpr std::size_t varint_size(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

class WireBuffer {
 public:
  static constexpr std::size_t varint_room = 10;
  static constexpr std::size_t most_room = PTRDIFF_MAX / 4;

  std::size_t size() const { return size_; }
  const std::byte* data() const { return bytes_.get(); }
  std::byte* data() { return bytes_.get(); }
  Bytes from(std::size_t begin) const { return {bytes_.get() + begin, size_ - begin}; }
  void truncate(std::size_t size) { size_ = size; }

  std::byte* reserve(std::size_t room) {
    if (size_ + std::min(room, most_room) > capacity_) [[unlikely]]  // also where size_ is, by mistake, past the end
      grow(room);
    return bytes_.get() + size_;
  }
  void commit(const std::byte* end) {
    size_ = static_cast<std::size_t>(end - bytes_.get());
    assert(size_ <= capacity_);
  }

  void append(const void* from, std::size_t size) {
    if (size == 0) return;
    std::memcpy(reserve(size), from, size);
    size_ += size;
  }
  void zeros(std::size_t size) {
    if (size == 0) return;
    std::memset(reserve(size), 0, size);
    size_ += size;
  }
  template <typename Word>
  void word(Word value) {
    append(&value, sizeof value);
  }
  void varint(std::uint64_t value) { commit(put_varint(reserve(varint_room), value)); }

  // Bytes whose length stands before them: open, append, close. A good estimate saves moving them.
  std::size_t open_length(std::size_t estimate) {
    const std::size_t room = varint_size(estimate);
    reserve(room);
    size_ += room;
    return size_;
  }
  void close_length(std::size_t opened, std::size_t estimate);

  static std::byte* put_varint(std::byte* at, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::byte>(value | 0x80);
    *at++ = static_cast<std::byte>(value);
    return at;
  }

 private:
  void grow(std::size_t room);

  struct Free {
    void operator()(std::byte* bytes) const;
  };
  std::unique_ptr<std::byte[], Free> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Fields that came in another order than CRIU writes them: sorts the fields of the message that ends the buffer, those
// that the schema lacks after those of the same number that it has.
void sort_fields(const Message& message, WireBuffer& out, std::size_t begin);
// Takes out what a key that stands twice has written before.
void remove_field(const Message& message, const Field& field, WireBuffer& out, std::size_t begin);

}  // namespace critpipe
