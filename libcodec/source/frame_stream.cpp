#include "source/frame_stream.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>

namespace critpipe {

extern const Packing zstd_packing;

namespace {

constexpr std::size_t packed_bytes = 128 << 10;

}  // namespace

struct FrameStream::Sum {
  XXH64_state_t state;
};

Error wrong_table(const std::string& place, std::uint64_t offset) {
  Error error{Reason::bad_compression, place, offset};
  error.name = "zstd: the table of frames does not fit them";
  return error;
}

FrameStream::FrameStream(const InputFile& file, std::uint64_t begin, std::string place)
    : file_{file}, begin_{begin}, place_{std::move(place)} {}

FrameStream::~FrameStream() = default;

void FrameStream::begin(const ZstdFrame& frame) {
  frame_ = frame;
  in_ = {};
  read_ = taken_ = given_ = 0;
  ended_ = full_ = false;
  if (!unpacker_) {
    unpacker_ = zstd_packing.make();
    packed_ = std::make_unique_for_overwrite<std::byte[]>(packed_bytes);
    block_ = std::make_unique_for_overwrite<std::byte[]>(block_bytes);
  }
  if (!unpacker_->begin()) fail("no memory");
  if (!frame.checksum || frame.has_checksum) return;
  if (!sum_) sum_ = std::make_unique<Sum>();
  XXH64_reset(&sum_->state, 0);
}

void FrameStream::release() {
  unpacker_.reset();
  packed_.reset();
  block_.reset();
  in_ = {};
}

bool FrameStream::refill() {
  // Of most frames only the first few bytes are wanted.
  const std::uint64_t most =
      std::min<std::uint64_t>(read_ == 0 ? packed_bytes / 8 : packed_bytes, frame_.packed - read_);
  const std::size_t got = file_.pread({packed_.get(), most}, frame_.at + read_, error_);
  in_ = {packed_.get(), got};
  read_ += got;
  if (got > 0 || error_) return got > 0;
  error_ = wrong_table(place_, frame_.at - begin_);
  if (most > 0) error_ = {Reason::changed, place_, Error::nowhere, Error::nowhere, frame_.packed - read_};
  return false;
}

Bytes FrameStream::read() {
  while (!ended_ && !error_) {
    if (in_.empty() && !full_ && !refill()) break;
    const Unpacked step = unpacker_->unpack(in_, {block_.get(), block_bytes});
    const bool stands_still = step.taken == 0 && step.given == 0 && !in_.empty();
    in_ = in_.subspan(step.taken);
    taken_ += step.taken;
    full_ = step.given == block_bytes;
    ended_ = step.state == Unpacked::State::frame_ended;
    if (step.state == Unpacked::State::failed) fail(step.why);
    else if (stands_still && !ended_) fail("damaged");
    const Bytes bytes{block_.get(), std::min<std::uint64_t>(step.given, frame_.unpacked - given_)};
    given_ += bytes.size();
    if (bytes.size() < step.given && !error_) error_ = wrong_table(place_, frame_.at - begin_);
    if (frame_.checksum && !frame_.has_checksum) XXH64_update(&sum_->state, bytes.data(), bytes.size());
    if (ended_ && !error_) check();
    if (!bytes.empty()) return bytes;
  }
  return {};
}

void FrameStream::check() {
  bool fits = taken_ == frame_.packed && given_ == frame_.unpacked;
  if (fits && frame_.checksum) {
    std::array<std::byte, 4> end;
    std::uint32_t sum = 0;
    if (!frame_.has_checksum) sum = static_cast<std::uint32_t>(XXH64_digest(&sum_->state));
    else if (file_.pread(end, frame_.at + frame_.packed - end.size(), error_) == end.size()) sum = load_u32(end.data());
    fits = sum == *frame_.checksum;
  }
  if (!fits && !error_) error_ = wrong_table(place_, frame_.at - begin_);
}

void FrameStream::fail(const std::string& why) {
  error_ = {Reason::bad_compression, place_, frame_.at - begin_ + taken_};
  error_.name = "zstd: " + why;
}

}  // namespace critpipe
