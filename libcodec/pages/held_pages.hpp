// What is kept of a pages image that cannot be read again: all of it, the bytes that are known to be wanted, or its
// end. Internal.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "critpipe/pages.hpp"
#include "pages/held_bytes.hpp"

namespace critpipe {

// Of an image as it is stored. Once all bytes came, any number of threads may read.
class HeldPages {
 public:
  // `room`: bytes that all who share it may still keep. It must live until the last byte has come.
  explicit HeldPages(std::uint64_t& room) : room_{room} {}

  // What to keep, said before the first bytes.
  void want_all() { want_stored(0, ~std::uint64_t{0}); }
  // The memory at [begin, end), whose runs and layout these are. False: it cannot be told where it is. A pagemap may
  // claim the same addresses again and again: no more of them than the range has.
  bool want(std::span<const PageRun> runs, const PageLayout* layout, std::uint64_t page_size, std::uint64_t begin,
            std::uint64_t end);
  void want_begin(std::uint64_t most_bytes) { want_stored(0, most_bytes); }
  void want_no_more();  // than has come
  void want_end(std::uint64_t most_bytes) { most_of_end_ = most_bytes; }

  void take(Bytes bytes);
  std::uint64_t size() const { return size_; }     // of what came
  bool lacks_room() const { return lacks_room_; }  // for something that is wanted
  // No byte that may still come is wanted, or has room.
  bool has_enough() const { return most_of_end_ == 0 && (lacks_room_ || size_ >= wanted_end_); }
  // As ReadStored. Bytes that nobody wanted before they came are an error. Reasons: limit_held.
  std::size_t read(std::span<std::byte> into, std::uint64_t offset, Error& error) const;

 private:
  struct Window {
    std::uint64_t begin, end;
    HeldBytes bytes;
  };
  void want_stored(std::uint64_t begin, std::uint64_t end) {
    windows_.push_back({begin, end, {}});
    wanted_end_ = std::max(wanted_end_, end);
  }
  void join();
  void take_end(std::string_view text);

  std::uint64_t& room_;
  std::vector<Window> windows_;  // ascending, once bytes come
  std::size_t next_ = 0;         // window that still lacks bytes
  std::uint64_t wanted_end_ = 0, size_ = 0, kept_bytes_ = 0;
  bool is_joined_ = false, lacks_room_ = false;
  std::uint64_t most_of_end_ = 0;
  std::string end_;
};

}  // namespace critpipe
