#include "json/parse/text_window.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "critpipe/base.hpp"

namespace critpipe {

namespace {

constexpr std::size_t first_capacity = 2 * block_bytes;
constexpr std::size_t held_capacity = held_extra_bytes + 2 * block_bytes;

}  // namespace

void TextWindow::Free::operator()(char* text) const { std::free(text); }

TextWindow::TextWindow() { append({}, 0); }

void TextWindow::append(std::string_view text, std::uint64_t keep_from) {
  char* const kept = at(keep_from);
  const auto kept_size = static_cast<std::size_t>(end_offset() - keep_from);
  const std::size_t wanted = kept_size + text.size();
  if (wanted > capacity_) {
    std::size_t capacity = std::max(capacity_ * 2, first_capacity);
    if (capacity > held_capacity / 2 && wanted <= held_capacity) capacity = held_capacity;
    capacity = std::max(capacity, wanted);
    auto* buffer = static_cast<char*>(std::calloc(front_room + capacity + back_room, 1));
    if (!buffer) throw std::bad_alloc{};
    base_ = buffer + front_room;
    if (kept_size != 0) std::memcpy(base_, kept, kept_size);
    buffer_.reset(buffer);
    capacity_ = capacity;
  } else if (size_ + text.size() > capacity_) {
    std::memmove(base_, kept, kept_size);
  } else {
    keep_from = base_offset_;
  }
  size_ = static_cast<std::size_t>(end_offset() - keep_from);
  base_offset_ = keep_from;
  if (!text.empty()) std::memcpy(base_ + size_, text.data(), text.size());
  size_ += text.size();
}

}  // namespace critpipe
