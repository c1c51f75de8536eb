// A large image whose entries several threads decode, in chunks of whole entries.
//
// Who decodes claims a chunk, a part of the image as it comes, and fills it: reads it and finds the borders of its
// entries, which is done in the order of the chunks, since only the entry before says where the next one begins. Of a
// plain file all threads read at once; anything else is read by the thread whose chunk has the turn.
//
// Chunks hold complete entries alone. Whatever else comes, such as the end of the image, an entry that is cut, or one
// larger than a chunk, ends the chunks: from rest() on the image is decoded by one thread, which says what is wrong.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "critpipe/source.hpp"

namespace critpipe::filters {

// Bytes that are not cleared, in memory that is used again.
class ChunkBuffer {
 public:
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

  struct Chunk {
    std::uint64_t number = 0;
    std::uint64_t from = 0;  // of a plain file: what is read, before the borders of entries are known
    std::size_t size = 0;
    ImagePlace at = {};
    Bytes bytes = {};
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

  // The next three are for one thread at a time: TurnQueue calls them under its lock.
  bool has_more() const { return has_more_; }
  void claim(Chunk& chunk);
  // What a chunk of so many bytes came to as text: the next ones come to about text_bytes.
  void learn(std::size_t bytes, std::size_t text);
  void end() { has_more_ = false; }

  // To be called once for each chunk that was claimed. nothing: the chunks have ended before it. broken: the file is
  // not what it was.
  enum class Filled : std::uint8_t { nothing, ready, broken };
  Filled fill(Chunk& chunk);

  // When all chunks were filled, up to the last one that counts; `failed`: one from whose begin on nothing counts.
  struct Rest {
    ImagePlace from;
    Bytes bytes;              // what stands there, of that which was read
    std::uint64_t taken = 0;  // from the reader, these included
  };
  Rest rest(const Chunk* failed);

 private:
  using Lock = std::unique_lock<std::mutex>;
  static constexpr std::size_t least_chunk = 32 << 10, most_chunk = 512 << 10;
  static constexpr std::size_t text_bytes = 448 << 10;
  static constexpr std::uint64_t most_over = 1 << 20;  // of a chunk's last entry, behind what the chunk has read

  Filled fill_plain(Chunk& chunk);
  Filled fill_next(Chunk& chunk);
  bool wait_for_turn(Lock& lock, const Chunk& chunk);
  void end_turn();
  void read_more();
  // Passes over entries from there on, as far as they end before `most` and begin, with their size, before `size`.
  std::uint64_t walk(const std::byte* begin, std::uint64_t at, std::uint64_t size, std::uint64_t most);

  Member member_;
  ByteReader& reader_;
  ByteReader::Plain plain_;
  std::uint64_t entry_bytes_;
  std::function<Step(std::string_view)> next_sink_;
  std::size_t chunk_bytes_ = 64 << 10;
  bool has_more_ = true;
  std::uint64_t nr_claimed_ = 0, claimed_bytes_ = 0;

  std::mutex mutex_;  // for what follows
  std::condition_variable turn_changed_;
  std::uint64_t turn_ = 0;  // the chunk whose borders are looked for
  bool ended_ = false;      // no further chunk
  bool broken_ = false;     // a thread has left without filling its chunk
  ImagePlace next_;
  ChunkBuffer carry_;  // of what is not plain: read, and not in a chunk
  std::size_t nr_carried_ = 0;
  std::uint64_t nr_read_ = 0;
};

}  // namespace critpipe::filters
