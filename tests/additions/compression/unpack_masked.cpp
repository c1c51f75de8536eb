// A compression that saves nothing: "MASKED" and the length of a frame in one byte, then as many bytes, each xor 0x5a.
#include <algorithm>

#include "source/packing.hpp"

namespace critpipe {

namespace {

using State = Unpacked::State;

class Masked final : public Unpacker {
 public:
  static constexpr std::string_view magic = "MASKED";

  bool begin() override {
    nr_head_ = 0;
    return true;
  }

  Unpacked unpack(Bytes in, std::span<std::byte> room) override {
    Unpacked step;
    for (; nr_head_ <= magic.size() && step.taken < in.size(); ++nr_head_, ++step.taken) {
      left_ = std::to_integer<std::size_t>(in[step.taken]);
      if (nr_head_ < magic.size() && left_ != static_cast<unsigned char>(magic[nr_head_]))
        return unpack_failed("not masked");
    }
    if (nr_head_ <= magic.size()) return step;
    step.given = std::min({left_, in.size() - step.taken, room.size()});
    const Bytes masked = in.subspan(step.taken, step.given);
    std::ranges::transform(masked, room.begin(), [](std::byte byte) { return byte ^ std::byte{0x5a}; });
    step.taken += step.given;
    left_ -= step.given;
    if (left_ == 0) step.state = State::frame_ended;
    return step;
  }

 private:
  std::size_t nr_head_ = 0;
  std::size_t left_ = 0;
};

}  // namespace

extern const Packing masked_packing;
const Packing masked_packing{
    .name = "masked",
    .suffix = ".masked",
    .magic = Masked::magic,
    .make = []() -> std::unique_ptr<Unpacker> { return std::make_unique<Masked>(); },
};

}  // namespace critpipe
