#include "cli/shared_image.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "critpipe/fields.hpp"

namespace critpipe::filters {

namespace {

constexpr std::size_t size_word = 4;
constexpr std::size_t most_guesses = 4 << 10, entries_of_guess = 8, nr_rows = 4;

// Passes over entries from `begin` on, as far as their size words lie in the bytes, which begin at `base`, and they
// themselves end at `most` or before.
SharedImage::Span walk(Bytes bytes, std::uint64_t base, std::uint64_t begin, std::uint64_t most,
                       std::uint64_t largest) {
  SharedImage::Span span{begin, begin};
  const std::uint64_t end = base + bytes.size();
  while (span.end + size_word <= end) {
    const std::uint64_t entry = load_u32(bytes.data() + (span.end - base));
    if (entry > largest) span.ends_all = true;
    if (entry > largest || entry + size_word > most - span.end) break;
    span.end += size_word + entry;
    ++span.nr_entries;
  }
  return span;
}

bool may_be_tag(std::byte byte) {
  const unsigned value = std::to_integer<unsigned>(byte);
  constexpr unsigned wire_types = 0b100111;  // varint, 64 bits, length, 32 bits
  return value >= 8 && (wire_types >> (value & 7) & 1) != 0;
}

bool may_begin_entries(Bytes bytes) {
  for (std::size_t n = 0; n < entries_of_guess; ++n) {
    if (bytes.size() <= size_word) return false;
    const std::size_t entry = load_u32(bytes.data());
    if (entry == 0 || entry > bytes.size() - size_word || !may_be_tag(bytes[size_word])) return false;
    bytes = bytes.subspan(size_word + entry);
  }
  return true;
}

// The size word of its first entry may begin before what it has to read.
std::uint64_t begin_of(const SharedImage::Chunk& chunk) {
  return chunk.from - std::min<std::uint64_t>(chunk.from, size_word - 1);
}

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
      begun_{std::move(begun)},
      block_{begun_.data(), nr_begun},
      nr_read_{nr_begun} {}

void SharedImage::claim(Chunk& chunk) {
  chunk.number = nr_claimed_++;
  chunk.from = claimed_bytes_;
  chunk.size = chunk_bytes_;
  chunk.nr_read = 0;
  chunk.span = {};
  chunk.bytes = {};
  is_being_read_ = !is_plain();
  if (!is_plain()) return;
  chunk.size = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size, plain_.size - claimed_bytes_));
  claimed_bytes_ += chunk.size;
  is_open_ = claimed_bytes_ < plain_.size;
}

void SharedImage::learn(std::size_t bytes, std::size_t text) {
  const std::size_t wanted = text == 0 ? most_chunk : bytes * text_bytes / text;
  chunk_bytes_ = std::clamp(wanted, least_chunk, most_chunk);
}

void SharedImage::fill(Chunk& chunk) {
  if (is_plain()) fill_plain(chunk);
  else fill_next(chunk);
}

void SharedImage::fill_plain(Chunk& chunk) {
  const std::uint64_t begin = begin_of(chunk);
  const auto size = static_cast<std::size_t>(chunk.from + chunk.size - begin);
  Error ignored;  // whoever reads the rest finds it, too
  if (plain_.file->pread({chunk.buffer.room(size, 0), size}, plain_.at + begin, ignored) != size) return;
  chunk.nr_read = size;
  if (chunk.number > 0) chunk.span = guess(chunk);
}

SharedImage::Span SharedImage::walk_plain(const Chunk& chunk, std::uint64_t begin) const {
  const std::uint64_t base = begin_of(chunk), end = base + chunk.nr_read;
  Span span =
      walk({chunk.buffer.data(), chunk.nr_read}, base, begin, std::min(end + most_over, plain_.size), entry_bytes_);
  if (span.end + size_word <= end || (span.end < end && end == plain_.size)) span.ends_all = true;
  return span;
}

namespace {

// Where entries seem to begin, soon behind `at`; none: the size of the bytes.
std::size_t find_entries(Bytes bytes, std::size_t at) {
  const std::size_t last = std::min(at + most_guesses, bytes.size());
  for (; at < last; ++at)
    if (may_begin_entries(bytes.subspan(at))) return at;
  return bytes.size();
}

// The number of entries between each two of the marks. None: they don't fit.
std::optional<std::uint64_t> count_entries(const std::byte* bytes, const std::array<std::size_t, nr_rows + 1>& marks) {
  std::array<std::size_t, nr_rows> at;
  std::copy_n(marks.begin(), nr_rows, at.begin());
  std::uint64_t nr_entries = 0;
  const auto step = [&](std::size_t row) {
    at[row] += size_word + load_u32(bytes + at[row]);
    ++nr_entries;
  };
  const auto is_on = [&](std::size_t row) { return at[row] < marks[row + 1]; };
  while (is_on(0) && is_on(1) && is_on(2) && is_on(3))
    for (std::size_t row = 0; row < nr_rows; ++row) step(row);
  for (std::size_t row = 0; row < nr_rows; ++row) {
    while (is_on(row)) step(row);
    if (at[row] != marks[row + 1]) return std::nullopt;
  }
  return nr_entries;
}

}  // namespace

// Walks several rows at once, since each step waits for the size word that it stands on.
SharedImage::Span SharedImage::guess(const Chunk& chunk) const {
  const Bytes bytes{chunk.buffer.data(), chunk.nr_read};
  const std::uint64_t base = begin_of(chunk);
  std::array<std::size_t, nr_rows + 1> marks;
  const std::size_t last = bytes.size() - std::min(bytes.size(), most_guesses);
  for (std::size_t row = 0; row <= nr_rows; ++row) marks[row] = find_entries(bytes, last / nr_rows * row);
  if (marks.front() == bytes.size()) return {};
  const bool has_all = std::ranges::count(marks, bytes.size()) == 0;
  const auto nr_entries = has_all ? count_entries(bytes.data(), marks) : std::nullopt;
  if (!nr_entries) return walk_plain(chunk, base + marks.front());
  Span span = walk_plain(chunk, base + marks.back());
  span.begin = base + marks.front();
  span.nr_entries += *nr_entries;
  return span;
}

bool SharedImage::settle(Chunk& chunk) {
  is_being_read_ = false;
  if (ended_) return false;
  if (chunk.nr_read > 0 && is_plain() && chunk.span.begin != next_.offset) chunk.span = walk_plain(chunk, next_.offset);
  const bool is_first = chunk.number == 0, is_empty = chunk.span.nr_entries == 0;
  chunk.at = next_;
  if (is_first) chunk.at.offset = 0;
  ended_ = chunk.nr_read == 0 || chunk.span.ends_all;
  if (ended_) close();
  next_.offset = is_empty ? chunk.at.offset : chunk.span.end;
  next_.nr_entries += chunk.span.nr_entries;
  return !is_empty;
}

bool SharedImage::complete(Chunk& chunk) {
  if (!is_plain()) return true;
  const std::uint64_t base = begin_of(chunk), end = chunk.span.end;
  const auto size = static_cast<std::size_t>(end - base);
  if (size > chunk.nr_read) {
    std::byte* const bytes = chunk.buffer.room(size, chunk.nr_read);
    const std::size_t more = size - chunk.nr_read;
    Error ignored;
    if (plain_.file->pread({bytes + chunk.nr_read, more}, plain_.at + base + chunk.nr_read, ignored) != more)
      return false;
  }
  chunk.bytes = Bytes{chunk.buffer.data(), size}.subspan(static_cast<std::size_t>(chunk.at.offset - base));
  return true;
}

// Adds what comes next to the buffer, so that it holds `size` bytes. Returns how many it holds: fewer at the end.
std::size_t SharedImage::read_on(ChunkBuffer& buffer, std::size_t nr_held, std::size_t size) {
  while (nr_held < size) {
    if (block_.empty() && !is_at_end_) {
      block_ = reader_.read();
      nr_read_ += block_.size();
      is_at_end_ = block_.empty();
    }
    if (block_.empty()) break;
    const Bytes taken = block_.first(std::min(block_.size(), size - nr_held));
    std::memcpy(buffer.room(size, nr_held) + nr_held, taken.data(), taken.size());
    block_ = block_.subspan(taken.size());
    nr_held += taken.size();
  }
  return nr_held;
}

void SharedImage::fill_next(Chunk& chunk) {
  std::swap(chunk.buffer, carry_);
  std::size_t nr_held = std::exchange(nr_carried_, 0);
  const std::uint64_t base = chunk.number == 0 ? 0 : next_.offset;
  for (std::size_t size = chunk.size;; size += most_chunk) {  // more, if an entry is larger than a chunk
    nr_held = read_on(chunk.buffer, nr_held, size);
    chunk.span = walk({chunk.buffer.data(), nr_held}, base, next_.offset, base + nr_held, entry_bytes_);
    if (chunk.span.nr_entries > 0 || chunk.span.ends_all || nr_held < size || size > most_over) break;
  }
  const auto size = chunk.span.nr_entries == 0 ? 0 : static_cast<std::size_t>(chunk.span.end - base);
  nr_carried_ = nr_held - size;
  if (nr_carried_ > 0) std::memcpy(carry_.room(nr_carried_, 0), chunk.buffer.data() + size, nr_carried_);
  chunk.bytes = {chunk.buffer.data(), size};
  chunk.nr_read = size;
}

SharedImage::Rest SharedImage::rest(const Chunk* failed) {
  Rest rest;
  rest.from = failed ? failed->at : next_;
  if (is_plain()) {
    rest.taken = reader_.skip(rest.from.offset);
    return rest;
  }
  rest.taken = nr_read_;
  if (failed) {
    rest.bytes = failed->bytes;
  } else {
    nr_carried_ = read_on(carry_, nr_carried_, nr_carried_ + block_.size());
    rest.bytes = {carry_.data(), nr_carried_};
  }
  return rest;
}

}  // namespace critpipe::filters
