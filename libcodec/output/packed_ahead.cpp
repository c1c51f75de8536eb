// Frames that are packed before their turn.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include "output/ahead_frames.hpp"

namespace critpipe {

namespace {

struct FileState {
  std::pair<std::uint64_t, std::uint64_t> identity;
  std::uint64_t size = 0;
};

std::optional<FileState> state_of(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return FileState{{status.st_dev, status.st_ino}, static_cast<std::uint64_t>(status.st_size)};
}

bool read_all(int fd, char* into, std::size_t size, std::uint64_t offset) {
  while (size > 0) {
    // In pieces: where a file system locks a file that is read, its writer waits.
    const ssize_t got = pread(fd, into, std::min(size, block_bytes), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    size -= static_cast<std::size_t>(got);
    offset += static_cast<std::uint64_t>(got);
  }
  return true;
}

}  // namespace

PackedAhead::Work::~Work() {
  if (file_ >= 0) close(file_);
}

const PackedAhead::Work::Frames* PackedAhead::Work::frames_of(int fd) const {
  if (frames_.empty()) return nullptr;
  const auto state = state_of(fd);
  const auto known = state ? frames_.find(state->identity) : frames_.end();
  return known == frames_.end() ? nullptr : &known->second;
}

bool PackedAhead::Work::pack(int fd) {
  const auto state = is_full_ ? std::nullopt : state_of(fd);
  if (!state) return false;
  Frames& frames = frames_[state->identity];
  const std::uint64_t from = std::uint64_t{frame_bytes} * frames.size();
  if (state->size < from + frame_bytes) return false;
  if (!frame_) frame_ = std::make_unique<PackedFrame>();
  if (!context_) context_ = std::make_unique<FrameContext>(level_);
  if (!read_all(fd, frame_->plain.get(), frame_bytes, from)) return false;
  frame_->plain_size = frame_bytes;
  context_->pack(*frame_);
  is_full_ = !frame_->why.empty() || !keep(*frame_, from, frames);
  return !is_full_;
}

bool PackedAhead::Work::keep(const PackedFrame& frame, std::uint64_t from, Frames& frames) {
  if (file_ < 0) {
    file_ = open_without_name(room_);
    // Where room cannot be given back frame by frame, more of it would be needed than without this.
    if (fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, frame_bytes) != 0) return false;
  }
  const std::uint64_t at = end_;
  if (write_at(file_, end_, std::as_bytes(std::span{frame.packed.get(), frame.packed_size}), room_)) {
    if (ftruncate(file_, static_cast<off_t>(at)) == 0) end_ = at;  // others may need the room
    return false;
  }
  frames.push_back({from, file_, at, static_cast<std::uint32_t>(frame.packed_size), frame.checksum()});
  return true;
}

PackedAhead::PackedAhead(std::unique_ptr<Work> work) : work_{std::move(work)} {}
PackedAhead::~PackedAhead() = default;
bool PackedAhead::pack(int fd) { return work_->pack(fd); }
void PackedAhead::release() { work_->release(); }
std::uint64_t PackedAhead::nr_used() const { return work_->nr_used(); }

}  // namespace critpipe
