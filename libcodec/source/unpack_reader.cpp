// Reads compressed data: frame after frame, block by block. What came before a fault is given; libarchive's filters
// keep it back, so that each compression's own library is called instead.
#include "source/packing.hpp"

#include <algorithm>

#include "source/tar_header.hpp"

namespace critpipe {

namespace {

class UnpackReader final : public ByteReader {
 public:
  UnpackReader(const Packing& packing, Reader below, std::string place)
      : packing_{packing},
        below_{std::move(below)},
        place_{std::move(place)},
        unpacker_{packing.make()},
        block_(block_bytes) {}

  Bytes read() override {
    std::size_t given = 0;
    // No more input is waited for once there is something.
    while (!error_ && (given == 0 || (!in_.empty() && given < block_.size()))) {
      // What a frame still holds comes before more input is waited for.
      if (in_.empty() && !(full_ && in_frame_) && !refill()) break;
      if (!in_frame_ && !begin_frame()) continue;
      const auto room = std::span{block_}.subspan(given);
      const Unpacked step = unpacker_->unpack(in_, room);
      const bool stands_still = step.taken == 0 && step.given == 0 && !in_.empty();
      in_ = in_.subspan(step.taken);
      given += step.given;
      full_ = step.given == room.size();
      in_frame_ = step.state != Unpacked::State::frame_ended;
      if (step.state == Unpacked::State::failed) fail(step.why);
      else if (stands_still && in_frame_) fail("damaged");
    }
    return {block_.data(), given};
  }

  std::uint64_t packed() const override { return packed_; }
  bool is_pipe() const override { return below_->is_pipe(); }

 private:
  bool refill() {
    in_ = below_->read();
    packed_ += in_.size();
    if (!in_.empty()) return true;
    error_ = below_->error();
    if (!error_ && in_frame_) {
      error_ = {Reason::cut_compression, place_, packed_};
      error_.name = packing_.name;
    }
    return false;
  }

  bool begin_frame() {
    if (packing_.may_be_padded) {
      const auto frame = std::find_if(in_.begin(), in_.end(), [](std::byte byte) { return byte != std::byte{0}; });
      in_ = in_.subspan(static_cast<std::size_t>(frame - in_.begin()));
      if (in_.empty()) return false;
    }
    in_frame_ = unpacker_->begin();
    if (!in_frame_) fail("no memory");
    return in_frame_;
  }

  void fail(const std::string& why) {
    error_ = {Reason::bad_compression, place_, packed_ - in_.size()};
    error_.name = std::string{packing_.name} + ": " + why;
  }

  const Packing& packing_;
  Reader below_;
  std::string place_;
  std::unique_ptr<Unpacker> unpacker_;
  std::vector<std::byte> block_;
  Bytes in_;  // in a block of the reader below
  std::uint64_t packed_ = 0;
  bool in_frame_ = false;
  bool full_ = false;  // the last step filled its room, so there may be more
};

}  // namespace

// ".zst" makes "c1.tar.zst" and "c1.tzst".
bool is_archive_name(std::string_view name) {
  return name.ends_with(".tar") || std::ranges::any_of(packings, packings + nr_packings, [&](const Packing* packing) {
           const std::string suffix{packing->suffix};
           return name.ends_with(".tar" + suffix) || name.ends_with(".t" + suffix.substr(1));
         });
}

bool is_archive(Bytes begin) { return packing_of(begin) || has_tar_checksum(begin) || has_tar_word(begin); }

const Packing* packing_of(Bytes bytes) {
  const std::string_view begin{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  for (const Packing* packing : std::span{packings, nr_packings})
    if (begin.starts_with(packing->magic) || (packing->has_other_magic && packing->has_other_magic(begin)))
      return packing;
  return nullptr;
}

const Packing* packing_of(PeekReader& reader) {
  std::size_t longest = 0;
  for (const Packing* packing : std::span{packings, nr_packings}) longest = std::max(longest, packing->magic.size());
  return packing_of(reader.peek(longest));
}

Reader unpack(const Packing& packing, Reader below, std::string place) {
  return std::make_unique<UnpackReader>(packing, std::move(below), std::move(place));
}

}  // namespace critpipe
