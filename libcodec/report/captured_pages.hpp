// Bytes of pages that are wanted from archives and streams: kept as they come by, or read later by their position.
// Internal.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "critpipe/source.hpp"
#include "critpipe/task.hpp"

namespace critpipe {

// What may be kept of one checkpoint's memory.
constexpr std::uint64_t kept_text_bytes = 8 << 20;    // of all command lines and environments
constexpr std::uint64_t longest_text = 256 << 10;     // of one
constexpr std::uint64_t kept_tail_bytes = 256 << 10;  // of a pages image whose pagemap has not come
constexpr std::uint64_t all_tails_bytes = 4 << 20;

// The addresses of a task's command line and environment, cut to what may be kept.
struct TextPlace {
  std::uint64_t begin = 0, end = 0;
};
TextPlace arguments_place(const AddressSpace& space);
TextPlace environment_place(const AddressSpace& space);

// One pages image, as it is stored.
class CapturedImage {
 public:
  std::uint64_t at = Member::unknown;  // where it begins in the input's file; unknown: bytes are kept
  std::uint64_t size = 0;              // bytes that came; of an image in the input's file: all that are its own

  // A part of it that shall be kept.
  void want(std::uint64_t begin, std::uint64_t end);
  void want_tail() { keeps_tail_ = true; }
  // The next bytes. `room` is what may still be kept of tails.
  void take(Bytes bytes, std::uint64_t& room);
  bool has_enough() const { return !keeps_tail_ && (windows_.empty() || size >= windows_.back().end); }
  // Reads them out of the input's file, or what was kept: all of them, or none. As ReadStored.
  std::size_t read(const InputFile* file, std::uint64_t offset, std::span<std::byte> into) const;

 private:
  struct Window {
    std::uint64_t begin, end;
    std::string bytes;
  };
  std::vector<Window> windows_;  // ascending
  bool keeps_tail_ = false;
  std::string tail_;
};

}  // namespace critpipe
