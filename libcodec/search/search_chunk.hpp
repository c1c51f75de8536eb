// A part of what is searched that one thread reads and searches by itself. Internal.
//
// Positions count all bytes of all stretches, as they are fed; between two stretches one is left out.
#pragma once

#include <utility>

#include "search/chunk_rooms.hpp"
#include "search/fed_search.hpp"
#include "search/kept_matches.hpp"

namespace critpipe::search {

class SearchChunk {
 public:
  struct Run {  // bytes of one stretch
    std::size_t offset = 0, size = 0;
    std::uint64_t position = 0, address = 0;
  };

  // `position`: of its first byte.
  SearchChunk(ChunkRooms& rooms, std::size_t most_before) : rooms_{rooms}, most_before_{most_before} {}
  // Its bytes are not looked at any more.
  void leave_room() { rooms_.give_back(std::exchange(room_, {})); }
  void reuse(std::uint64_t position);
  // Its last bytes, with which the search of the chunk that follows begins; as far as they are plain in an image, so
  // that this chunk need not be waited for.
  struct Tail {
    const PagesImage* image = nullptr;  // null: they are here only
    std::uint64_t position = 0;
    std::size_t size = 0;
    bool is_all = false;  // of the stretch
  };
  Tail tail() const;  // once it is filled, before it is read
  // The last stretch of the chunk before it goes on here, at this address. That chunk stays until this one is done.
  void follow(const SearchChunk& before, const Tail& tail, std::uint64_t address);

  // To fill it.
  std::size_t room() const { return rooms_.room_bytes() - size_; }
  bool is_empty() const { return size_ == 0; }
  void begin(std::uint64_t address) {
    if (!std::exchange(begins_, true)) gaps_ += 1;
    if (runs_.empty()) before_ = nullptr;
    next_ = address;
  }
  std::size_t feed(Bytes bytes);  // as many as fit
  void add_read(const PagesImage& image, std::uint64_t position, std::size_t size) {
    reads_.push_back({&image, position, size_, size});
  }
  void feed_read(std::size_t size) { extend(size); }
  std::uint64_t end() const { return position_ + gaps_ + size_; }

  // By the thread that searches it.
  void read();
  // The chunk whose last bytes this one needs; null: it needs none, or has read them itself.
  const SearchChunk* waits_for() const { return head_.empty() ? before_ : nullptr; }
  void take_before();  // when that was read, too
  void search(Search& search);
  void keep(const Match& found) { is_full = is_full || !matches.add(found); }

  // What came of it. `is_read` and `is_done` belong to whoever hands chunks between threads.
  bool is_read = false, is_done = false;
  std::vector<Error> read_errors;
  KeptMatches matches;   // addresses are positions
  bool is_full = false;  // there were too many of them: they count for nothing
  bool lacks_memory = false;
  Error error;  // of the engine

  const std::vector<Run>& runs() const { return runs_; }
  bool goes_on() const { return !head_.empty(); }    // does its first run go on with a stretch of the chunk before?
  Bytes head() const { return head_; }               // bytes before the first run, of the same stretch
  bool head_is_all() const { return head_is_all_; }  // does the stretch begin with them?
  bool ends_open() const { return !runs_.empty() && runs_.back().offset + runs_.back().size == size_; }
  // It could not be read for lack of memory: the one behind it finds nothing to go on from.
  void lose() {
    runs_.clear();
    head_.clear();
  }
  // The chunk before has lost the bytes at its end: what was found here counts for nothing.
  void forget_head() {
    head_.clear();
    is_full = true;
  }
  std::uint64_t head_position() const { return runs_.front().position - head_.size(); }
  Bytes bytes(const Run& run) const { return {room_.bytes.get() + run.offset, run.size}; }
  std::uint64_t address_of(std::uint64_t position) const;

 private:
  struct Read {
    const PagesImage* image;
    std::uint64_t position;
    std::size_t offset, size;
  };
  std::byte* bytes_at(std::size_t offset) {
    if (!room_.bytes) room_ = rooms_.take();
    return room_.bytes.get() + offset;
  }
  void extend(std::size_t size);
  void leave_out(std::size_t begin, std::size_t end);
  void read_head();

  ChunkRooms& rooms_;
  std::size_t most_before_;
  ChunkRooms::Room room_ = {};  // of the thread that fills it
  std::size_t size_ = 0;
  std::uint64_t position_ = 0, gaps_ = 0;
  const SearchChunk* before_ = nullptr;
  Tail tail_before_;
  bool begins_ = false;     // what comes next is a stretch of its own
  std::uint64_t next_ = 0;  // its address
  std::vector<Run> runs_;
  std::vector<Read> reads_;
  std::vector<std::byte> head_;
  bool head_is_all_ = false;
};

}  // namespace critpipe::search
