#include "pages/held_pages.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pages/page_blocks.hpp"
#include "pages/page_content.hpp"

namespace critpipe {

bool HeldPages::want(std::span<const PageRun> runs, const PageLayout* layout, std::uint64_t page_size,
                     std::uint64_t begin, std::uint64_t end) {
  Error error;
  const auto blocks = layout ? layout->placed(page_size, error) : nullptr;
  if (layout && !blocks) return false;
  const auto keep = [this](std::uint64_t offset, std::uint64_t size) {
    if (size > 0) want_stored(offset, offset + size);
    return true;
  };
  std::uint64_t left = end - std::min(begin, end);
  for (const PageRun& run : runs) {
    const std::uint64_t from = std::max(run.vaddr, begin), to = std::min(run.end(page_size), end);
    if (!run.is_present() || from >= to || to - from > left || run.page >= max_pages) continue;
    left -= to - from;
    if (!visit_stored(blocks.get(), content_position(run.page, page_size, from - run.vaddr), to - from, keep))
      return false;
  }
  return true;
}

// Those that touch become one.
void HeldPages::join() {
  if (std::exchange(is_joined_, true)) return;
  std::ranges::sort(windows_, {}, &Window::begin);
  std::vector<Window> joined;
  for (Window& window : windows_) {
    if (!joined.empty() && window.begin <= joined.back().end)
      joined.back().end = std::max(joined.back().end, window.end);
    else joined.push_back(std::move(window));
  }
  windows_ = std::move(joined);
}

void HeldPages::want_no_more() {
  join();
  std::erase_if(windows_, [this](const Window& window) { return window.begin >= size_; });
  for (Window& window : windows_) window.end = std::min(window.end, size_);
  next_ = windows_.size();
  wanted_end_ = size_;
}

void HeldPages::take(Bytes bytes) {
  join();
  const std::uint64_t end = size_ + bytes.size();
  for (; next_ < windows_.size() && windows_[next_].begin < end; ++next_) {
    Window& window = windows_[next_];
    const std::uint64_t from = std::max(window.begin, size_), to = std::min(window.end, end);
    lacks_room_ = lacks_room_ || to - from > room_;
    if (lacks_room_) break;
    window.bytes.append(bytes.subspan(from - size_, to - from));
    room_ -= to - from;
    kept_bytes_ += to - from;
    if (window.end > end) break;
  }
  size_ = end;
  if (most_of_end_ > 0) take_end({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void HeldPages::take_end(std::string_view text) {
  const std::uint64_t most = std::min(most_of_end_, room_ + end_.size());
  room_ += end_.size();
  if (text.size() >= most) {
    end_ = text.substr(text.size() - most);
  } else {
    end_ += text;
    if (end_.size() > most) end_.erase(0, end_.size() - most);
  }
  room_ -= end_.size();
}

std::size_t HeldPages::read(std::span<std::byte> into, std::uint64_t offset, Error& error) const {
  const auto behind = std::ranges::upper_bound(windows_, offset, {}, &Window::begin);
  std::size_t done =
      behind == windows_.begin() ? 0 : std::prev(behind)->bytes.read(offset - std::prev(behind)->begin, into);
  const std::uint64_t end_begin = size_ - end_.size();
  if (done == 0 && offset >= end_begin && offset < size_) {
    done = std::min<std::size_t>(into.size(), size_ - offset);
    std::memcpy(into.data(), end_.data() + (offset - end_begin), done);
  }
  if (done < into.size() && (offset + done < size_ || size_ >= wanted_end_))
    error = {Reason::limit_held, "", Error::nowhere, Error::nowhere, kept_bytes_ + end_.size()};
  return done;
}

}  // namespace critpipe
