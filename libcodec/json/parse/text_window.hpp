// The part of the text that is held: what has arrived and is not done with. Offsets count from the start of the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace critpipe {

class TextWindow {
 public:
  static constexpr std::size_t front_room = 64;  // writable before the first character
  static constexpr std::size_t back_room = 192;  // writable after the last one; simdjson reads there

  TextWindow();
  // Moves the text: pointers end here, offsets stay.
  void append(std::string_view text, std::uint64_t keep_from);

  // So much text was read elsewhere, behind all that is here.
  void pass_over(std::uint64_t size) {
    base_offset_ = end_offset() + size;
    size_ = 0;
  }

  char* at(std::uint64_t offset) { return base_ + static_cast<std::ptrdiff_t>(offset - base_offset_); }
  std::uint64_t offset_of(const char* at) const { return base_offset_ + static_cast<std::uint64_t>(at - base_); }
  std::uint64_t begin_offset() const { return base_offset_; }
  std::uint64_t end_offset() const { return base_offset_ + size_; }
  char* end() { return base_ + size_; }

 private:
  struct Free {
    void operator()(char* text) const;
  };
  std::unique_ptr<char, Free> buffer_;
  std::size_t capacity_ = 0;  // of text
  char* base_ = nullptr;      // the character at base_offset_
  std::uint64_t base_offset_ = 0;
  std::size_t size_ = 0;
};

}  // namespace critpipe
