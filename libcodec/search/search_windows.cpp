#include "search/search_windows.hpp"

#include <algorithm>

namespace critpipe::search {

namespace {

constexpr unsigned blocks_without = 15;
constexpr std::size_t bytes_a_window = 1024;  // fewer of them, and the engine is quicker

}  // namespace

SearchWindows::SearchWindows(const NeededByAll& needed)
    : needed_{needed}, most_left_{needed.others == ~std::uint64_t{0} ? needed.others : needed.others + 1} {
  if (!needed.set) one_.emplace(needed.texts.texts.front().text);
}

// Where texts begin that end in the new bytes.
void SearchWindows::find_texts(const RecentBytes& recent, std::size_t block) {
  texts_.clear();
  const std::uint64_t begin = recent.end() - block;
  const auto find = [&](Bytes bytes, std::uint64_t base) {
    if (one_) {
      for (std::size_t at = 0; (at = one_->find(bytes, at)) != LiteralFinder::npos; ++at) texts_.push_back(base + at);
    } else {
      needed_.set->find(bytes, [&](std::size_t at, std::size_t) { texts_.push_back(base + at); });
    }
  };
  if (one_) one_->learn(recent.view(begin, recent.end(), bytes_));
  const std::uint64_t across = needed_.longest - 1;
  if (recent.first() < begin && across > 0) {
    const std::uint64_t from = std::max(recent.first(), begin - std::min(begin, across));
    find(recent.view(from, begin + across, bytes_), from);
  }
  find(recent.view(begin, recent.end(), bytes_), begin);
  if (!one_) std::ranges::sort(texts_);
}

std::uint64_t SearchWindows::begin_of(std::uint64_t text, const RecentBytes& recent) const {
  return std::max(recent.first(), text - std::min(text, needed_.texts.before));
}

// Does the window end before that place? It ends at walked_ then.
bool SearchWindows::closes(const RecentBytes& recent, std::uint64_t to) {
  if (walked_ >= to) return false;
  for (const std::byte byte : recent.view(walked_, to, bytes_)) {
    ++walked_;
    if (!needed_.repeated.test(static_cast<std::size_t>(byte)) && --left_ == 0) return true;
  }
  walked_ = to;
  return false;
}

void SearchWindows::all_of(const RecentBytes& recent, std::size_t block) {
  --nr_whole_;
  const std::uint64_t begin = recent.end() - block;
  const std::uint64_t from =
      is_open_ ? begin : begin_of(begin - std::min<std::uint64_t>(begin, needed_.longest), recent);
  pieces_.push_back({from, recent.end(), !is_open_, false});
  is_open_ = true;
  walked_ = recent.end();
  left_ = most_left_;
}

const std::vector<SearchWindows::Piece>& SearchWindows::next(const RecentBytes& recent, std::size_t block) {
  pieces_.clear();
  if (nr_whole_ > 0) {
    all_of(recent, block);
    return pieces_;
  }
  find_texts(recent, block);
  const std::uint64_t begin = recent.end() - block, end = recent.end();
  // Behind it a window may begin with a text that has not ended yet.
  const std::uint64_t last_close = end - std::min(end, needed_.texts.before + needed_.longest);
  std::uint64_t from = begin, nr_bytes = 0;
  bool begins = false;
  for (auto text = texts_.begin();;) {
    if (!is_open_) {
      if (text == texts_.end()) break;
      from = begin_of(*text, recent);
      is_open_ = begins = true;
      walked_ = 0;
    } else if (closes(recent, text == texts_.end() ? end : begin_of(*text, recent)) &&
               (text != texts_.end() || walked_ <= last_close)) {
      is_open_ = false;
      const std::uint64_t to = std::max(from, walked_);
      nr_bytes += to - from;
      pieces_.push_back({from, to, std::exchange(begins, false), true});
      continue;
    } else if (text == texts_.end()) {
      left_ = std::max<std::uint64_t>(left_, 1);
      nr_bytes += end - from;
      pieces_.push_back({from, end, std::exchange(begins, false), false});
      break;
    }
    // The window goes on behind this text.
    walked_ = std::max(walked_, *text);
    left_ = most_left_;
    ++text;
  }
  if (nr_bytes > block / 2 || pieces_.size() > block / bytes_a_window + 4) nr_whole_ = blocks_without;
  return pieces_;
}

}  // namespace critpipe::search
