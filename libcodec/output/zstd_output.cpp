// Compression of what is written.
#include <algorithm>
#include <utility>

#include "critpipe/output.hpp"
#include "output/frame_packer.hpp"
#include "output/seek_table.hpp"

namespace critpipe {

namespace {

constexpr std::size_t frame_bytes = 4 << 20;
// A part of that size has frames of its own. Smaller ones compress better together.
constexpr std::size_t large_part_bytes = 1 << 20;
constexpr std::size_t checksum_bytes = 4;

}  // namespace

class ZstdOutput::Frames {
 public:
  Frames(Output& below, int level, int threads) : below_{below}, packer_{level, threads} {}

  Step add(std::string_view bytes);
  Step begin_part(std::uint64_t size);
  Step finish();
  const Error& error() const { return error_; }

 private:
  void end_frame();
  void write_oldest();
  Step step() const { return has_failed_ ? Step::stop : Step::go; }

  Output& below_;
  FramePacker packer_;
  std::unique_ptr<PackedFrame> frame_ = std::make_unique<PackedFrame>();  // is being filled
  std::unique_ptr<PackedFrame> spare_;                                    // has memory
  std::vector<SeekEntry> entries_;
  bool is_large_ = false;  // the part that is being written
  bool has_failed_ = false;
  Error error_;
};

Step ZstdOutput::Frames::add(std::string_view bytes) {
  while (!bytes.empty() && !has_failed_) {
    frame_->plain.reserve(frame_bytes);
    const std::size_t piece = std::min(bytes.size(), frame_bytes - frame_->plain.size());
    frame_->plain.insert(frame_->plain.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(piece));
    bytes.remove_prefix(piece);
    if (frame_->plain.size() == frame_bytes) end_frame();
  }
  return step();
}

Step ZstdOutput::Frames::begin_part(std::uint64_t size) {
  const bool ends_frame = is_large_ || size >= large_part_bytes || frame_->plain.size() >= large_part_bytes;
  is_large_ = size >= large_part_bytes;
  if (ends_frame && !frame_->plain.empty() && !has_failed_) end_frame();
  return step();
}

void ZstdOutput::Frames::end_frame() {
  packer_.begin(std::exchange(frame_, nullptr));
  if (packer_.is_full()) write_oldest();
  frame_ = spare_ ? std::move(spare_) : std::make_unique<PackedFrame>();
  frame_->plain.clear();
}

void ZstdOutput::Frames::write_oldest() {
  spare_ = packer_.take();
  if (has_failed_) return;
  if (!spare_->why.empty()) {
    error_ = {Reason::io_write};
    error_.name = spare_->why;
    has_failed_ = true;
    return;
  }
  // A frame ends with the checksum that the table has, too.
  const auto packed = std::as_bytes(std::span{spare_->packed});
  entries_.push_back({static_cast<std::uint32_t>(packed.size()), static_cast<std::uint32_t>(spare_->plain.size()),
                      load_u32(packed.last(checksum_bytes).data())});
  below_.pass(packed);
  has_failed_ = below_.step() == Step::stop;
}

Step ZstdOutput::Frames::finish() {
  // What is empty is a frame, too.
  const bool is_first = entries_.empty() && packer_.is_empty();
  if (is_first || !frame_->plain.empty()) end_frame();
  while (!packer_.is_empty()) write_oldest();
  if (!has_failed_) below_.write(seek_table(entries_));
  return has_failed_ ? Step::stop : below_.step();
}

ZstdOutput::ZstdOutput(Output& below, int level, int threads)
    : frames_{std::make_unique<Frames>(below, level, threads)} {}

ZstdOutput::~ZstdOutput() = default;

bool ZstdOutput::drain(const char* bytes, std::size_t size) {
  if (frames_->add({bytes, size}) == Step::go) return true;
  error_ = frames_->error();
  return false;
}

void ZstdOutput::part_begins(std::uint64_t size) {
  if (flush() == Step::go && frames_->begin_part(size) == Step::stop) error_ = frames_->error();
}

Step ZstdOutput::finish() {
  if (flush() == Step::stop) return Step::stop;
  const Step step = frames_->finish();
  error_ = frames_->error();
  return step;
}

}  // namespace critpipe
