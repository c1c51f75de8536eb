// A large image whose entries several threads decode, in chunks of whole entries.
//
// Who fills a chunk reads it. A plain file is read by all threads at once, each a part that was claimed without a look
// at it: where its first entry begins, only the one before says. So the borders of its entries are guessed, by a row of
// size words that fit each other, and walked from there; settle(), in the order of the chunks, holds the guess to where
// the chunk before has ended, and walks again if it is wrong. Anything else is read by one thread at a time.
//
// Chunks hold complete entries alone. Whatever else comes, such as the end of the image, an entry that is cut, or one
// of more than 1 MiB, ends the chunks: from rest() on the image is decoded by one thread, which says what is wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "critpipe/source.hpp"

namespace critpipe::filters {

// Bytes that are not cleared, in memory that is used again.
class ChunkBuffer {
 public:
  ChunkBuffer() = default;
  ChunkBuffer(ChunkBuffer&& other) noexcept { *this = std::move(other); }
  ChunkBuffer& operator=(ChunkBuffer&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }
  // Room for `size` bytes, of which the first `keep` stay.
  std::byte* room(std::size_t size, std::size_t keep);
  std::byte* data() const { return bytes_.get(); }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t capacity_ = 0;
};

class SharedImage {
 public:
  static constexpr std::size_t least_bytes = 512 << 10;  // of an image that is worth it

  // Some entries: how many, and from where to where in the image.
  struct Span {
    std::uint64_t begin = 0, end = 0, nr_entries = 0;
    bool ends_all = false;  // what stands behind them is no whole entry
  };
  struct Chunk {
    std::uint64_t number = 0;
    std::uint64_t from = 0;  // of a plain file: what is read, before the borders of entries are known
    std::size_t size = 0;
    std::size_t nr_read = 0;
    Span span = {};  // of a plain file until it is settled: a guess
    ImagePlace at = {};
    Bytes bytes = {};  // its entries
    ChunkBuffer buffer = {};
  };

  // `begun`: so many bytes of the member were read already, into the buffer; of a plain file none.
  SharedImage(const Member& member, ByteReader& reader, const ImagePlace& first, const Limits& limits,
              ChunkBuffer begun, std::size_t nr_begun);

  const Member& member() const { return member_; }
  std::uint64_t nr_read() const { return nr_read_; }  // of what is not plain. Requires: no thread is at work

  // Who gets the texts of chunks, in order, in place of the output.
  void hand_to(std::function<Step(std::string_view)> next) { next_sink_ = std::move(next); }
  bool hands_on() const { return next_sink_ != nullptr; }
  Step hand_on(std::string_view text) { return text.empty() ? Step::go : next_sink_(text); }

  // The next six are for one thread at a time: TurnQueue calls them under its lock.
  bool is_open() const { return is_open_; }  // there will be chunks to claim
  bool can_claim() const { return is_open_ && (is_plain() || !is_being_read_); }
  void claim(Chunk& chunk);
  // To be called once for each chunk that was filled, in their order. False: the chunks have ended before it.
  bool settle(Chunk& chunk);
  // What a chunk of so many bytes came to as text: the next ones come to about text_bytes.
  void learn(std::size_t bytes, std::size_t text);
  void close() { is_open_ = false; }

  // To be called once for each chunk that was claimed.
  void fill(Chunk& chunk);
  // Of one that is settled: gives it its bytes. False: the file is not what it was.
  bool complete(Chunk& chunk);

  // When all chunks were settled, up to the last one that counts; `failed`: one from whose begin on nothing counts.
  // Where the file is not plain, nothing comes behind the bytes of that one: whoever decodes them ends within.
  struct Rest {
    ImagePlace from;
    Bytes bytes;              // what stands there, of that which was read
    std::uint64_t taken = 0;  // from the reader, these included
  };
  Rest rest(const Chunk* failed);

 private:
  static constexpr std::size_t least_chunk = 32 << 10, most_chunk = 512 << 10;
  static constexpr std::size_t text_bytes = 448 << 10;
  static constexpr std::uint64_t most_over = 1 << 20;  // of a chunk's last entry, behind what was to be read

  bool is_plain() const { return plain_.file != nullptr; }
  void fill_plain(Chunk& chunk);
  void fill_next(Chunk& chunk);
  std::size_t read_on(ChunkBuffer& buffer, std::size_t nr_held, std::size_t size);
  Span walk_plain(const Chunk& chunk, std::uint64_t begin) const;
  Span guess(const Chunk& chunk) const;

  Member member_;
  ByteReader& reader_;
  ByteReader::Plain plain_;
  std::uint64_t entry_bytes_;
  std::function<Step(std::string_view)> next_sink_;
  std::size_t chunk_bytes_ = 64 << 10;
  bool is_open_ = true;
  std::uint64_t nr_claimed_ = 0, claimed_bytes_ = 0;
  bool ended_ = false;  // what is settled from here on has no entries
  ImagePlace next_;     // behind what is settled

  // Of what is not plain, for the one thread that reads.
  bool is_being_read_ = false;
  ChunkBuffer begun_;  // what was read first
  Bytes block_;        // what was read last, and is in no chunk
  ChunkBuffer carry_;  // what comes before it
  std::size_t nr_carried_ = 0;
  std::uint64_t nr_read_ = 0;
  bool is_at_end_ = false;
};

}  // namespace critpipe::filters
