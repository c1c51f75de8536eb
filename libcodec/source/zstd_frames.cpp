#include "source/zstd_frames.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "output/seek_table.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t frame_magic = 0xfd2fb528;
constexpr std::uint32_t skippable_magic = 0x184d2a50, skippable_mask = 0xfffffff0;
constexpr std::size_t checksum_bytes = 4;
constexpr std::size_t block_head_bytes = 3;
// The table is held in memory. Two TiB of pages in frames of 4 MiB have as many.
constexpr std::uint32_t max_frames = 1 << 19;
// Larger frames without a table are not worth it: finding their end takes a read for every 128 KiB.
constexpr std::uint64_t max_walked_bytes = 32 << 20;

std::uint64_t little_endian(Bytes bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

// Looks at a few bytes of a file, up to its end.
class Look {
 public:
  Look(const InputFile& file, std::uint64_t at, std::size_t size, Error& error)
      : size_{file.pread(std::span{bytes_}.first(size), at, error)} {}
  Bytes bytes() const { return Bytes{bytes_}.first(size_); }

 private:
  std::array<std::byte, max_zstd_head_bytes> bytes_;
  std::size_t size_;
};

bool is_skippable(Bytes head) {
  return head.size() >= 8 && (load_u32(head.data()) & skippable_mask) == skippable_magic;
}

// The frames that the table names. Each is held to what its head says before it is read, and most where they are only
// passed over.
class TableFrames final : public ZstdFrames {
 public:
  TableFrames(const InputFile& file, std::uint64_t begin, std::vector<SeekEntry> entries)
      : file_{file}, entries_{std::move(entries)}, at_{begin} {}

  Next next(ZstdFrame& frame) override {
    if (number_ == entries_.size()) return Next::end;
    const SeekEntry& entry = entries_[number_];
    const auto is_as_large = [&](std::size_t other) {
      return other < entries_.size() && entries_[other].unpacked == entry.unpacked;
    };
    frame = {.at = at_, .packed = entry.packed, .unpacked = entry.unpacked, .checksum = entry.checksum};
    frame.is_as_neighbours = is_as_large(number_ - 1) && is_as_large(number_ + 1);
    at_ += entry.packed;
    ++number_;
    return Next::frame;
  }

  bool look_at(ZstdFrame& frame) override {
    const Look look{file_, frame.at, std::min<std::uint64_t>(max_zstd_head_bytes, frame.packed), error_};
    if (is_skippable(look.bytes()))
      frame.says_size = frame.unpacked == 0 && frame.packed == 8 + std::uint64_t{load_u32(look.bytes().data() + 4)};
    else if (const auto head = zstd_head(look.bytes()))
      frame.says_size = head->unpacked == frame.unpacked, frame.has_checksum = head->has_checksum;
    return !error_;
  }

 private:
  const InputFile& file_;
  std::vector<SeekEntry> entries_;
  std::size_t number_ = 0;
  std::uint64_t at_;
};

// The frames that are met one behind the other, as long as each says how much it holds.
class WalkedFrames final : public ZstdFrames {
 public:
  WalkedFrames(const InputFile& file, std::uint64_t begin) : file_{file}, at_{begin} {}

  Next next(ZstdFrame& frame) override {
    frame = {.at = at_};
    if (at_ == file_.size()) return Next::end;
    const Look look{file_, at_, max_zstd_head_bytes, error_};
    if (is_skippable(look.bytes())) frame.packed = 8 + std::uint64_t{load_u32(look.bytes().data() + 4)};
    else if (!walk(frame, zstd_head(look.bytes()))) return error_ ? Next::wrong : Next::plain;
    if (frame.packed > file_.size() - at_) return Next::plain;
    frame.says_size = true;
    at_ += frame.packed;
    return error_ ? Next::wrong : Next::frame;
  }

  bool look_at(ZstdFrame&) override { return true; }  // next() did

 private:
  // From block to block.
  bool walk(ZstdFrame& frame, const std::optional<ZstdHead>& head) {
    if (!head || !head->unpacked || *head->unpacked > max_walked_bytes) return false;
    frame.unpacked = *head->unpacked;
    frame.has_checksum = head->has_checksum;
    std::uint64_t at = at_ + head->bytes;
    // A block holds a byte at least, but for the last one.
    for (std::uint64_t blocks = 0; blocks <= frame.unpacked; ++blocks) {
      const Look look{file_, at, block_head_bytes, error_};
      if (look.bytes().size() < block_head_bytes) return false;
      const std::uint64_t block = little_endian(look.bytes());
      constexpr std::uint64_t repeated = 1, reserved = 3;
      const std::uint64_t type = block >> 1 & 3;
      if (type == reserved) return false;
      at += block_head_bytes + (type == repeated ? 1 : block >> 3);
      if ((block & 1) == 0) continue;
      frame.packed = at + (head->has_checksum ? checksum_bytes : 0) - at_;
      return true;
    }
    return false;
  }

  const InputFile& file_;
  std::uint64_t at_;
};

// Nothing: there is no table, or it does not fit the file.
std::optional<std::vector<SeekEntry>> read_table(const InputFile& file, std::uint64_t begin) {
  Error error;
  const std::uint64_t size = file.size() - begin;
  if (size < seek_head_bytes + seek_footer_bytes) return std::nullopt;
  const Look end{file, file.size() - seek_footer_bytes, seek_footer_bytes, error};
  if (end.bytes().size() < seek_footer_bytes) return std::nullopt;
  const auto footer = seek_footer(end.bytes());
  if (!footer || footer->nr_frames > max_frames || footer->table_bytes() > size) return std::nullopt;
  std::uint64_t at = file.size() - footer->table_bytes();
  const std::uint64_t packed = at - begin;
  const Look head{file, at, seek_head_bytes, error};
  if (head.bytes().size() < seek_head_bytes || !is_seek_head(head.bytes(), *footer)) return std::nullopt;
  at += seek_head_bytes;
  std::vector<SeekEntry> entries;
  std::vector<std::byte> block(std::min<std::uint64_t>(footer->entries_bytes(), footer->entry_bytes() * 4096));
  std::uint64_t sum = 0;
  while (entries.size() < footer->nr_frames) {
    const auto into = std::span{block}.first(
        std::min<std::uint64_t>(block.size(), footer->entry_bytes() * (footer->nr_frames - entries.size())));
    if (file.pread(into, at, error) < into.size()) return std::nullopt;
    at += into.size();
    for (std::size_t i = 0; i < into.size(); i += footer->entry_bytes()) {
      entries.push_back(seek_entry(Bytes{into}.subspan(i, footer->entry_bytes()), *footer));
      sum += entries.back().packed;
    }
  }
  return sum == packed ? std::optional{std::move(entries)} : std::nullopt;
}

}  // namespace

std::optional<ZstdHead> zstd_head(Bytes bytes) {
  constexpr std::size_t magic_bytes = 4;
  if (bytes.size() <= magic_bytes || load_u32(bytes.data()) != frame_magic) return std::nullopt;
  const auto descriptor = std::to_integer<unsigned>(bytes[magic_bytes]);
  const bool is_single = (descriptor & 0x20) != 0;
  constexpr std::array<std::size_t, 4> dictionary_bytes{0, 1, 2, 4};
  const std::array<std::size_t, 4> size_bytes{is_single ? 1u : 0u, 2, 4, 8};
  const std::size_t size = size_bytes[descriptor >> 6];
  ZstdHead head;
  const std::size_t size_at = magic_bytes + 1 + (is_single ? 0 : 1) + dictionary_bytes[descriptor & 3];
  head.bytes = size_at + size;
  head.has_checksum = (descriptor & 4) != 0;
  if (bytes.size() < head.bytes) return std::nullopt;
  constexpr std::uint64_t first_of_two_bytes = 256;
  if (size > 0) head.unpacked = little_endian(bytes.subspan(size_at, size)) + (size == 2 ? first_of_two_bytes : 0);
  return head;
}

std::unique_ptr<ZstdFrames> find_zstd_frames(const InputFile& file, std::uint64_t begin) {
  if (file.size() == InputFile::unknown || file.size() <= begin) return nullptr;
  if (auto entries = read_table(file, begin)) return std::make_unique<TableFrames>(file, begin, std::move(*entries));
  ZstdFrame frame;
  WalkedFrames walked{file, begin};
  for (int tries = 0; tries < 16 && walked.next(frame) == ZstdFrames::Next::frame; ++tries)
    if (frame.unpacked > 0 && frame.at + frame.packed < file.size()) return std::make_unique<WalkedFrames>(file, begin);
  return nullptr;
}

}  // namespace critpipe
