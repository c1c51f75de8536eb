// Compression of what is written.
#include <algorithm>
#include <cerrno>
#include <new>
#include <unistd.h>
#include <utility>

#include "critpipe/output.hpp"
#include "output/ahead_frames.hpp"
#include "output/frame_packer.hpp"
#include "output/seek_table.hpp"

namespace critpipe {

namespace {

// A part of that size has frames of its own. Smaller ones compress better together.
constexpr std::size_t large_part_bytes = 1 << 20;

}  // namespace

class ZstdOutput::Frames {
 public:
  Frames(Output& below, int level, int threads) : below_{below}, level_{level}, packer_{level, threads} {}

  PackedAhead& ahead(const std::string& room);
  Step add(std::string_view bytes);
  std::uint64_t add_file(int fd, std::uint64_t size);
  Step begin_part(std::uint64_t size);
  Step finish();
  const Error& error() const { return error_; }
  Step step() const { return has_failed_ ? Step::stop : Step::go; }

 private:
  void end_frame();
  void write_oldest();
  void fail(const std::string& why);

  Output& below_;
  const int level_;
  std::unique_ptr<PackedAhead> ahead_;
  FramePacker packer_;
  std::unique_ptr<PackedFrame> frame_ = std::make_unique<PackedFrame>();  // is being filled
  std::unique_ptr<PackedFrame> spare_;                                    // has memory
  std::vector<SeekEntry> entries_;
  bool is_large_ = false;  // the part that is being written
  bool has_failed_ = false;
  Error error_;
};

PackedAhead& ZstdOutput::Frames::ahead(const std::string& room) {
  if (!ahead_) ahead_.reset(new PackedAhead{std::make_unique<PackedAhead::Work>(level_, room)});
  return *ahead_;
}

Step ZstdOutput::Frames::add(std::string_view bytes) {
  while (!bytes.empty() && !has_failed_) {
    const std::size_t piece = std::min(bytes.size(), frame_bytes - frame_->plain_size);
    bytes.copy(frame_->plain.get() + frame_->plain_size, piece);
    frame_->plain_size += piece;
    bytes.remove_prefix(piece);
    if (frame_->plain_size == frame_bytes) end_frame();
  }
  return step();
}

// Reads into the frames. One begins where one that was packed ahead does.
std::uint64_t ZstdOutput::Frames::add_file(int fd, std::uint64_t size) {
  const PackedAhead::Work::Frames* const known = ahead_ ? ahead_->work_->frames_of(fd) : nullptr;
  const off_t begin = known ? lseek(fd, 0, SEEK_CUR) : 0;
  if (begin < 0) return 0;
  std::uint64_t done = 0;
  while (done < size && !has_failed_) {
    const std::uint64_t at = static_cast<std::uint64_t>(begin) + done;
    std::uint64_t piece = std::min(size - done, std::uint64_t{frame_bytes - frame_->plain_size});
    if (known) {
      const auto next = std::ranges::lower_bound(*known, at, {}, &AheadFrame::from);
      if (next != known->end() && next->from > at) piece = std::min(piece, next->from - at);
      if (next != known->end() && next->from == at) {
        if (frame_->plain_size > 0) {
          end_frame();
          continue;
        }
        frame_->ahead = *next;
      }
    }
    const ssize_t got = read(fd, frame_->plain.get() + frame_->plain_size, piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    frame_->plain_size += static_cast<std::size_t>(got);
    done += static_cast<std::uint64_t>(got);
    if (frame_->plain_size == frame_bytes) end_frame();
  }
  return done;
}

Step ZstdOutput::Frames::begin_part(std::uint64_t size) {
  if (has_failed_) return Step::stop;
  const bool ends_frame = is_large_ || size >= large_part_bytes || frame_->plain_size >= large_part_bytes;
  is_large_ = size >= large_part_bytes;
  if (ends_frame && frame_->plain_size > 0) end_frame();
  return step();
}

void ZstdOutput::Frames::end_frame() try {
  packer_.begin(std::exchange(frame_, nullptr));
  if (packer_.is_full()) write_oldest();
  frame_ = spare_ ? std::move(spare_) : std::make_unique<PackedFrame>();
  frame_->plain_size = 0;
  frame_->ahead = {};
} catch (const std::bad_alloc&) {
  fail("no memory");
}

void ZstdOutput::Frames::fail(const std::string& why) {
  error_ = {Reason::io_write};
  error_.name = why;
  has_failed_ = true;
}

void ZstdOutput::Frames::write_oldest() {
  spare_ = packer_.take();
  if (has_failed_) return;
  if (!spare_->why.empty()) return fail(spare_->why);
  if (spare_->was_ahead) ahead_->work_->count_used();
  const auto packed = std::as_bytes(std::span{spare_->packed.get(), spare_->packed_size});
  entries_.push_back(
      {static_cast<std::uint32_t>(packed.size()), static_cast<std::uint32_t>(spare_->plain_size), spare_->checksum()});
  below_.pass(packed);
  has_failed_ = below_.step() == Step::stop;
}

Step ZstdOutput::Frames::finish() {
  if (has_failed_) return Step::stop;
  // What is empty is a frame, too.
  const bool is_first = entries_.empty() && packer_.is_empty();
  if (is_first || frame_->plain_size > 0) end_frame();
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

std::uint64_t ZstdOutput::move(int fd, std::uint64_t size) {
  const std::uint64_t moved = frames_->add_file(fd, size);
  if (frames_->step() == Step::go) return moved;
  error_ = frames_->error();
  fail();
  return moved;
}

PackedAhead& ZstdOutput::ahead(const std::string& room) { return frames_->ahead(room); }

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
