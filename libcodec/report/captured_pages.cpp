#include "report/captured_pages.hpp"

#include <algorithm>
#include <cstring>

namespace critpipe {

namespace {

TextPlace bounded(std::uint64_t begin, std::uint64_t end) {
  if (end <= begin) return {begin, begin};
  return {begin, begin + std::min(end - begin, longest_text)};
}

}  // namespace

TextPlace arguments_place(const AddressSpace& space) { return bounded(space.arg_start, space.title_end()); }
TextPlace environment_place(const AddressSpace& space) { return bounded(space.env_start, space.env_end); }

void CapturedImage::want(std::uint64_t begin, std::uint64_t end) {
  windows_.push_back({begin, end, {}});
  std::ranges::sort(windows_, {}, &Window::begin);
  // Those that touch become one.
  std::vector<Window> joined;
  for (Window& window : windows_) {
    if (!joined.empty() && window.begin <= joined.back().end)
      joined.back().end = std::max(joined.back().end, window.end);
    else joined.push_back(std::move(window));
  }
  windows_ = std::move(joined);
}

void CapturedImage::take(Bytes bytes, std::uint64_t& room) {
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  for (Window& window : windows_) {
    const std::uint64_t begin = std::max(window.begin, size), end = std::min(window.end, size + text.size());
    if (begin < end) window.bytes.append(text.substr(begin - size, end - begin));
  }
  size += text.size();
  if (!keeps_tail_) return;
  const std::uint64_t most = std::min(kept_tail_bytes, room + tail_.size());
  room += tail_.size();
  if (text.size() >= most) {
    tail_ = text.substr(text.size() - most);
  } else {
    tail_ += text;
    if (tail_.size() > most) tail_.erase(0, tail_.size() - most);
  }
  room -= tail_.size();
}

std::size_t CapturedImage::read(const InputFile* file, std::uint64_t offset, std::span<std::byte> into) const {
  if (at != Member::unknown) {
    Error error;
    const bool is_within = file && offset <= size && into.size() <= size - offset;
    return is_within ? file->pread(into, at + offset, error) : 0;
  }
  const auto copy = [&](const std::string& from, std::uint64_t begin) {
    if (offset < begin || offset - begin > from.size() || into.size() > from.size() - (offset - begin)) return false;
    std::memcpy(into.data(), from.data() + (offset - begin), into.size());
    return true;
  };
  for (const Window& window : windows_)
    if (copy(window.bytes, window.begin)) return into.size();
  return keeps_tail_ && copy(tail_, size - tail_.size()) ? into.size() : 0;
}

}  // namespace critpipe
