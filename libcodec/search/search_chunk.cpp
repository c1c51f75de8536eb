#include "search/search_chunk.hpp"

#include <algorithm>
#include <cstring>

namespace critpipe::search {

void SearchChunk::reuse(std::uint64_t position) {
  before_ = nullptr;
  is_read = is_done = is_full = lacks_memory = false;
  read_errors.clear();
  matches.clear();
  error = {};
  size_ = 0;
  position_ = position;
  gaps_ = 0;
  begins_ = false;
  next_ = 0;
  runs_.clear();
  reads_.clear();
  head_.clear();
  head_is_all_ = false;
}

SearchChunk::Tail SearchChunk::tail() const {
  if (reads_.empty() || !ends_open()) return {};
  const Run& last = runs_.back();
  const Read& read = reads_.back();
  const std::size_t size = std::min(last.size, most_before_);
  if (read.offset + read.size != size_ || read.size < size || read.image->nr_pages_at_once() > 1) return {};
  return {read.image, read.position + (read.size - size), size, size == last.size && !(runs_.size() == 1 && before_)};
}

void SearchChunk::follow(const SearchChunk& before, const Tail& tail, std::uint64_t address) {
  before_ = &before;
  tail_before_ = tail;
  next_ = address;
}

void SearchChunk::extend(std::size_t size) {
  if (std::exchange(begins_, false) || runs_.empty()) runs_.push_back({size_, 0, end(), next_});
  runs_.back().size += size;
  size_ += size;
  next_ += size;
}

std::size_t SearchChunk::feed(Bytes bytes) {
  const std::size_t size = std::min(bytes.size(), room());
  if (size == 0) return 0;
  std::memcpy(bytes_at(size_), bytes.data(), size);
  extend(size);
  return size;
}

void SearchChunk::read() {
  for (const Read& read : reads_)
    read.image->read_content(read.position, {bytes_at(read.offset), read.size},
                             [&](std::size_t begin, std::size_t end, const Error& error) {
                               read_errors.push_back(error);
                               leave_out(read.offset + begin, read.offset + end);
                             });
  if (before_ && tail_before_.image) read_head();
}

void SearchChunk::read_head() {
  if (runs_.empty() || runs_.front().offset != 0) return;
  head_.resize(tail_before_.size);
  head_is_all_ = tail_before_.is_all;
  if (tail_before_.image->read_content(tail_before_.position, head_)) head_.clear();
}

// What could not be read.
void SearchChunk::leave_out(std::size_t begin, std::size_t end) {
  std::vector<Run> left;
  for (const Run& run : runs_) {
    const std::size_t run_end = run.offset + run.size;
    if (run.offset < begin)
      left.push_back({run.offset, std::min(run_end, begin) - run.offset, run.position, run.address});
    if (run_end > end) {
      const std::size_t from = std::max(run.offset, end);
      left.push_back({from, run_end - from, run.position + (from - run.offset), run.address + (from - run.offset)});
    }
  }
  runs_ = std::move(left);
}

void SearchChunk::take_before() {
  if (!head_.empty() || !before_ || !before_->ends_open() || runs_.empty() || runs_.front().offset != 0) return;
  const Run& last = before_->runs_.back();
  const std::size_t size = std::min(last.size, most_before_);
  const Bytes bytes = before_->bytes(last).last(size);
  head_.assign(bytes.begin(), bytes.end());
  head_is_all_ = size == last.size && !(before_->runs_.size() == 1 && before_->before_);
}

void SearchChunk::search(Search& search) {
  Step step = Step::go;
  for (const Run& run : runs_) {
    const bool is_first = &run == &runs_.front();
    search.begin(is_first ? run.position - head_.size() : run.position);
    if (is_first && !head_.empty()) step = search.feed(head_);
    if (step == Step::go) step = search.feed(bytes(run));
    if (step == Step::go) step = search.end();
    if (step == Step::stop) break;
  }
  error = search.error();
}

std::uint64_t SearchChunk::address_of(std::uint64_t position) const {
  auto next = std::ranges::upper_bound(runs_, position, {}, &Run::position);
  if (next != runs_.begin()) --next;
  return next->address + (position - next->position);
}

}  // namespace critpipe::search
