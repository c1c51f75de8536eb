// Files, looking ahead, bounds.
#include "source/byte_reader.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

namespace critpipe {

namespace {

std::uint64_t offset_of(const InputFile& file) {
  const off_t at = file.size() == InputFile::unknown ? 0 : lseek(file.fd(), 0, SEEK_CUR);
  return at < 0 ? 0 : static_cast<std::uint64_t>(at);
}

}  // namespace

std::size_t data_end_in(Bytes bytes) {
  const auto last = std::find_if(bytes.rbegin(), bytes.rend(), [](std::byte byte) { return byte != std::byte{0}; });
  return static_cast<std::size_t>(bytes.rend() - last);
}

FileReader::FileReader(InputFile file) : FileReader{offset_of(file), std::move(file)} {}

FileReader::FileReader(std::uint64_t at, InputFile file) : file_{std::move(file)} {
  const std::uint64_t size = file_.size();
  is_regular_ = size != InputFile::unknown && size > 0;
  if (is_regular_) left_ = size - std::min(size, at);
  else if (file_.is_pipe()) fcntl(fd(), F_SETPIPE_SZ, 1 << 20);
  if (left_ > block_bytes) posix_fadvise(fd(), static_cast<off_t>(at), 0, POSIX_FADV_SEQUENTIAL);
}

Bytes FileReader::read() {
  if (is_regular_ && left_ == 0) return {};
  if (!block_) {
    capacity_ = is_regular_ ? std::min<std::uint64_t>(block_bytes, left_) : block_bytes;
    block_ = std::make_unique_for_overwrite<std::byte[]>(capacity_);
  }
  const std::uint64_t most = is_regular_ ? left_ : Member::unknown;
  const std::size_t size = file_.read({block_.get(), std::min<std::uint64_t>(capacity_, most)}, error_);
  if (error_) return {};
  if (is_regular_ && size == 0) error_ = {Reason::changed, file_.place(), Error::nowhere, Error::nowhere, left_};
  if (is_regular_) left_ -= size;
  return {block_.get(), size};
}

std::uint64_t FileReader::skip(std::uint64_t size) {
  if (!is_regular_) return 0;
  const std::uint64_t step = std::min(size, left_);
  if (!file_.skip(step, error_)) return 0;
  left_ -= step;
  return step;
}

ByteReader::Plain FileReader::plain() const {
  if (!is_regular_ || left_ > file_.size()) return {};
  return {&file_, file_.size() - left_, left_};
}

ByteReader::Plain PeekReader::plain() const {
  const Plain below = below_->plain();
  if (!below.file || below.at < ready_.size()) return {};
  return {below.file, below.at - ready_.size(), below.size + ready_.size()};
}

// Requires: ready_ is empty or in held_.
bool PeekReader::more() {
  const Bytes block = below_->read();
  nr_bytes_ += block.size();
  if (block.empty()) error_ = below_->error();
  if (ready_.empty()) {
    ready_ = block;
    return !block.empty();
  }
  held_.erase(held_.begin(), held_.begin() + (ready_.data() - held_.data()));
  held_.insert(held_.end(), block.begin(), block.end());
  ready_ = held_;
  return !block.empty();
}

Bytes PeekReader::peek(std::size_t size) {
  while (ready_.size() < size) {
    // A block of the reader below lives until its next read.
    const bool is_held = !held_.empty() && ready_.data() >= held_.data() && ready_.data() < held_.data() + held_.size();
    if (!ready_.empty() && !is_held) {
      held_.assign(ready_.begin(), ready_.end());
      ready_ = held_;
    }
    if (!more()) break;
  }
  return ready_;
}

Bytes PeekReader::read_some(std::uint64_t most) {
  if (ready_.empty()) more();
  const Bytes taken = ready_.first(static_cast<std::size_t>(std::min<std::uint64_t>(ready_.size(), most)));
  ready_ = ready_.subspan(taken.size());
  return taken;
}

std::uint64_t PeekReader::skip(std::uint64_t size) {
  std::uint64_t skipped = std::min<std::uint64_t>(ready_.size(), size);
  ready_ = ready_.subspan(static_cast<std::size_t>(skipped));
  if (skipped < size) {
    const std::uint64_t below = below_->skip(size - skipped);
    nr_bytes_ += below;
    skipped += below;
  }
  while (skipped < size) {
    const Bytes block = read_some(size - skipped);
    if (block.empty()) break;
    skipped += block.size();
  }
  return skipped;
}

BoundedReader::BoundedReader(Reader below, std::uint64_t most, std::string place, std::uint64_t limit)
    : below_{std::move(below)}, most_{most}, limit_{limit}, place_{std::move(place)} {}

bool BoundedReader::count(std::uint64_t size) {
  if (size <= most_ - seen_) {
    seen_ += size;
    return true;
  }
  error_ = {Reason::limit_size, place_, Error::nowhere, Error::nowhere, limit_};
  return false;
}

Bytes BoundedReader::read() {
  if (error_) return {};
  const Bytes block = below_->read();
  if (block.empty()) error_ = below_->error();
  if (count(block.size())) return block;
  const Bytes rest = block.first(static_cast<std::size_t>(most_ - seen_));
  seen_ = most_;
  return rest;
}

std::uint64_t BoundedReader::skip(std::uint64_t size) {
  const std::uint64_t skipped = below_->skip(std::min(size, most_ - seen_));
  seen_ += skipped;
  return skipped;
}

}  // namespace critpipe
