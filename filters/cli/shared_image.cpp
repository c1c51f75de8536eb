#include "cli/shared_image.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "critpipe/fields.hpp"

namespace critpipe::filters {

namespace {

constexpr std::size_t size_word = 4;

}  // namespace

std::byte* ChunkBuffer::room(std::size_t size, std::size_t keep) {
  if (size <= capacity_) return bytes_.get();
  const std::size_t capacity = size + size / 4;
  auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
  if (keep > 0) std::memcpy(larger.get(), bytes_.get(), keep);
  bytes_ = std::move(larger);
  capacity_ = capacity;
  return bytes_.get();
}

SharedImage::SharedImage(const Member& member, ByteReader& reader, const ImagePlace& first, const Limits& limits,
                         ChunkBuffer begun, std::size_t nr_begun)
    : member_{member},
      reader_{reader},
      plain_{nr_begun == 0 ? reader.plain() : ByteReader::Plain{}},
      entry_bytes_{limits.entry_bytes},
      next_{first},
      carry_{std::move(begun)},
      nr_carried_{nr_begun},
      nr_read_{nr_begun} {}

void SharedImage::claim(Chunk& chunk) {
  chunk.number = nr_claimed_++;
  chunk.from = claimed_bytes_;
  chunk.size = chunk_bytes_;
  if (!plain_.file) return;
  chunk.size = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size, plain_.size - claimed_bytes_));
  claimed_bytes_ += chunk.size;
  has_more_ = claimed_bytes_ < plain_.size;
}

void SharedImage::learn(std::size_t bytes, std::size_t text) {
  const std::size_t wanted = text == 0 ? most_chunk : bytes * text_bytes / text;
  chunk_bytes_ = std::clamp(wanted, least_chunk, most_chunk);
}

bool SharedImage::wait_for_turn(Lock& lock, const Chunk& chunk) {
  turn_changed_.wait(lock, [&] { return broken_ || turn_ == chunk.number; });
  return !ended_ && !broken_;
}

void SharedImage::end_turn() {
  ++turn_;
  turn_changed_.notify_all();
}

SharedImage::Filled SharedImage::fill(Chunk& chunk) {
  chunk.bytes = {};
  try {
    return plain_.file ? fill_plain(chunk) : fill_next(chunk);
  } catch (...) {
    const Lock lock{mutex_};
    broken_ = ended_ = true;
    turn_changed_.notify_all();
    throw;
  }
}

std::uint64_t SharedImage::walk(const std::byte* begin, std::uint64_t at, std::uint64_t size, std::uint64_t most) {
  std::uint64_t nr_entries = 0;
  while (at + size_word <= size) {
    const std::uint64_t entry = load_u32(begin + at);
    if (entry > entry_bytes_) ended_ = true;
    if (entry > entry_bytes_ || entry + size_word > most - at) break;
    at += size_word + entry;
    ++nr_entries;
  }
  next_.nr_entries += nr_entries;
  return at;
}

// The size word of its first entry may begin before what it has to read.
SharedImage::Filled SharedImage::fill_plain(Chunk& chunk) {
  const std::size_t lead = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.from, size_word - 1));
  const std::uint64_t begin = chunk.from - lead;
  const std::size_t size = lead + chunk.size;
  std::byte* bytes = chunk.buffer.room(size, 0);
  Error ignored;  // whoever reads the rest finds it, too
  const bool is_read = plain_.file->pread({bytes, size}, plain_.at + begin, ignored) == size;
  Lock lock{mutex_};
  if (!wait_for_turn(lock, chunk) || !is_read) {
    ended_ = true;
    end_turn();
    return Filled::nothing;
  }
  chunk.at = next_;
  const std::uint64_t from = next_.offset - begin;
  const std::uint64_t end = walk(bytes, from, size, std::min(size + most_over, plain_.size - begin));
  // What is left is no whole entry, or one too large.
  if (end + size_word <= size || (end < size && chunk.from + chunk.size == plain_.size)) ended_ = true;
  if (chunk.number == 0) chunk.at.offset = 0;
  next_.offset = end == from ? chunk.at.offset : begin + end;
  end_turn();
  lock.unlock();
  if (end == from) return Filled::nothing;
  const auto first = static_cast<std::size_t>(chunk.at.offset - begin), behind = static_cast<std::size_t>(end);
  if (behind > size) {
    bytes = chunk.buffer.room(behind, size);
    if (plain_.file->pread({bytes + size, behind - size}, plain_.at + begin + size, ignored) != behind - size)
      return Filled::broken;
  }
  chunk.bytes = {bytes + first, behind - first};
  return Filled::ready;
}

// Requires: the chunk that is filled has the turn.
void SharedImage::read_more() {
  const Bytes block = reader_.read();
  member_.packed = reader_.packed();
  nr_read_ += block.size();
  std::memcpy(carry_.room(nr_carried_ + block.size(), nr_carried_) + nr_carried_, block.data(), block.size());
  nr_carried_ += block.size();
  ended_ = block.empty();
}

SharedImage::Filled SharedImage::fill_next(Chunk& chunk) {
  Lock lock{mutex_};
  if (!wait_for_turn(lock, chunk)) {
    end_turn();
    return Filled::nothing;
  }
  while (nr_carried_ < chunk.size && !ended_) read_more();
  chunk.at = next_;
  const bool is_first = chunk.number == 0;
  const std::uint64_t from = is_first ? next_.offset : 0;
  if (is_first) chunk.at.offset = 0;
  auto end = static_cast<std::size_t>(walk(carry_.data(), from, nr_carried_, nr_carried_));
  if (end == from) {
    ended_ = true;
    end = 0;
  }
  next_.offset = chunk.at.offset + end;
  if (end > 0) {
    std::swap(chunk.buffer, carry_);
    nr_carried_ -= end;
    std::byte* const rest = carry_.room(nr_carried_, 0);
    if (nr_carried_ > 0) std::memcpy(rest, chunk.buffer.data() + end, nr_carried_);
    chunk.bytes = {chunk.buffer.data(), end};
  }
  end_turn();
  return end == 0 ? Filled::nothing : Filled::ready;
}

SharedImage::Rest SharedImage::rest(const Chunk* failed) {
  const Lock lock{mutex_};
  Rest rest;
  rest.from = failed ? failed->at : next_;
  if (plain_.file) {
    rest.taken = reader_.skip(rest.from.offset);
    return rest;
  }
  rest.bytes = failed ? failed->bytes : Bytes{carry_.data(), nr_carried_};
  rest.taken = nr_read_;
  return rest;
}

}  // namespace critpipe::filters
