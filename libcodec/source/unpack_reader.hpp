// The ways of compression behind one interface: bytes in, bytes out, one frame after the other.
#pragma once

#include <span>

#include "source/byte_reader.hpp"

namespace critpipe {

struct Unpacked {
  enum class State : std::uint8_t { more, frame_ended, failed };
  State state = State::more;
  std::size_t taken = 0;  // bytes of the input
  std::size_t given = 0;  // bytes of the output; of a step that failed those before the fault
  std::string why = {};   // it failed
};

class Unpacker {
 public:
  virtual ~Unpacker() = default;
  // Makes ready for the first or next frame; false: there is no memory for it.
  virtual bool begin() = 0;
  // Takes what it wants of the input. It makes progress if there is input and room; what it holds back after a step
  // that filled the room it gives without input, too.
  virtual Unpacked unpack(Bytes in, std::span<std::byte> room) = 0;
};

std::unique_ptr<Unpacker> make_unpacker(Packing packing);

}  // namespace critpipe
