// Compressions: each is one file in packings/, unpack_NAME.cpp, which defines the row NAME_packing and the class that
// it makes. Nothing else names it: the table of rows is made from the names of the files (row_table.cmake).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "source/byte_reader.hpp"

namespace critpipe {

struct Unpacked {
  enum class State : std::uint8_t { more, frame_ended, failed };
  State state = State::more;
  std::size_t taken = 0;  // bytes of the input
  std::size_t given = 0;  // bytes of the output; of a step that failed those before the fault
  std::string why = {};   // it failed
};

// Bytes in, bytes out, one frame after the other.
class Unpacker {
 public:
  virtual ~Unpacker() = default;
  // Makes ready for the first or next frame; false: there is no memory for it.
  virtual bool begin() = 0;
  // Takes what it wants of the input. It makes progress if there is input and room; what it holds back after a step
  // that filled the room it gives without input, too.
  virtual Unpacked unpack(Bytes in, std::span<std::byte> room) = 0;
};

struct Packing {
  std::string_view name;    // for messages
  std::string_view suffix;  // of file names: ".zst"
  std::string_view magic;
  std::unique_ptr<Unpacker> (*make)();
  // Does it begin so, although not with its magic? Null: nothing does.
  bool (*has_other_magic)(std::string_view begin) = nullptr;
  // Between frames there may be zeros: tapes and dd leave them.
  bool may_be_padded = false;
  // Reads a file from an offset on, and passes over what nobody asks for. Null: it can't; else the reader has taken
  // over `below`, which owns the file.
  Reader (*by_frames)(const InputFile& file, std::uint64_t begin, Reader& below, const std::string& place,
                      std::size_t nr_threads) = nullptr;
};

extern const Packing* const packings[];
extern const std::size_t nr_packings;

// By its magic; null: not compressed.
const Packing* packing_of(Bytes begin);
const Packing* packing_of(PeekReader& reader);  // looks ahead as far as the longest magic
Reader unpack(const Packing& packing, Reader below, std::string place);

// What the rows share.

static_assert(max_window_bytes == 128 << 20);
constexpr const char* needs_too_much = "needs more than 128 MiB of memory to unpack";

inline Unpacked unpack_failed(const char* why) { return {Unpacked::State::failed, 0, 0, why}; }

// zlib, liblzma and libbz2 have streams of one form, which read what stands at next_in. run() says how it went.
template <typename Stream, typename Run>
Unpacked unpack_by(Stream& stream, Bytes in, std::span<std::byte> room, Run run) {
  stream.next_in = reinterpret_cast<decltype(stream.next_in)>(const_cast<std::byte*>(in.data()));
  stream.avail_in = static_cast<decltype(stream.avail_in)>(in.size());
  stream.next_out = reinterpret_cast<decltype(stream.next_out)>(room.data());
  stream.avail_out = static_cast<decltype(stream.avail_out)>(room.size());
  Unpacked step = run();
  step.taken = in.size() - stream.avail_in;
  step.given = room.size() - stream.avail_out;
  return step;
}

// libzstd and liblz4 tell where a step ended only if it was good, so that each gets no more than what is left of one
// block and its checksum: less than the number of bytes that they hope for, which has the head of the next block in it.
inline std::size_t up_to_block(std::size_t hoped, std::size_t head_bytes) {
  return hoped > head_bytes ? hoped - head_bytes : hoped;
}

}  // namespace critpipe
