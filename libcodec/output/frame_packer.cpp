#include "output/frame_packer.hpp"

#include <algorithm>
#include <fcntl.h>
#include <new>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "base/start_thread.hpp"
#include "critpipe/base.hpp"

namespace critpipe {

namespace {

// Matches reach over a whole frame, at no cost in time: that makes up for those that would reach before its begin. With
// the usual 2 MiB of level 3 frames of 4 MiB take 3% more.
constexpr int window_log = 22;
constexpr std::size_t checksum_bytes = 4;

// What was packed ahead, if it is of these bytes. It is needed once: its room is given back.
bool take_ahead(PackedFrame& frame) {
  const AheadFrame& ahead = frame.ahead;
  if (ahead.file < 0 || frame.plain_size != frame_bytes) return false;
  if (static_cast<std::uint32_t>(XXH64(frame.plain.get(), frame_bytes, 0)) != ahead.checksum) return false;
  const auto at = static_cast<off_t>(ahead.at);
  if (pread(ahead.file, frame.packed.get(), ahead.size, at) != static_cast<ssize_t>(ahead.size)) return false;
  (void)fallocate(ahead.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, static_cast<off_t>(ahead.size));
  frame.packed_size = ahead.size;
  return frame.checksum() == ahead.checksum;
}

}  // namespace

std::uint32_t PackedFrame::checksum() const {
  return load_u32(reinterpret_cast<const std::byte*>(packed.get()) + packed_size - checksum_bytes);
}

FrameContext::FrameContext(int level) : level_{level}, zstd_{ZSTD_createCCtx()} {}
FrameContext::~FrameContext() { ZSTD_freeCCtx(zstd_); }

void FrameContext::pack(PackedFrame& frame) try {
  if (!zstd_) throw std::bad_alloc{};
  const std::size_t room = ZSTD_compressBound(frame_bytes);
  if (!frame.packed) frame.packed = std::make_unique_for_overwrite<char[]>(room);
  frame.was_ahead = take_ahead(frame);
  if (frame.was_ahead) return;
  ZSTD_CCtx_setParameter(zstd_, ZSTD_c_compressionLevel, level_);
  ZSTD_CCtx_setParameter(zstd_, ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(zstd_, ZSTD_c_checksumFlag, 1);
  frame.packed_size = ZSTD_compress2(zstd_, frame.packed.get(), room, frame.plain.get(), frame.plain_size);
  if (ZSTD_isError(frame.packed_size)) frame.why = ZSTD_getErrorName(frame.packed_size);
} catch (const std::bad_alloc&) {
  frame.why = "no memory";
}

FramePacker::FramePacker(int level, int threads) : level_{level}, threads_{static_cast<std::size_t>(threads)} {}

FramePacker::~FramePacker() {
  {
    const std::lock_guard lock{mutex_};
    ends_ = true;
  }
  begun_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void FramePacker::begin(std::unique_ptr<PackedFrame> frame) {
  frame->state = PackedFrame::State::waiting;
  {
    const std::lock_guard lock{mutex_};
    frames_.push_back(std::move(frame));
  }
  if (threads_ > 1 && frames_.size() > workers_.size() + 1 && workers_.size() + 1 < threads_)
    (void)start_thread(workers_, [this] { work(); });
  begun_.notify_one();
}

// Requires: the mutex is locked.
PackedFrame* FramePacker::take_waiting() {
  const auto frame =
      std::ranges::find_if(frames_, [](const auto& one) { return one->state == PackedFrame::State::waiting; });
  if (frame == frames_.end()) return nullptr;
  (*frame)->state = PackedFrame::State::taken;
  return frame->get();
}

void FramePacker::work() {
  FrameContext context{level_};
  std::unique_lock lock{mutex_};
  for (;;) {
    PackedFrame* frame = nullptr;
    begun_.wait(lock, [&] { return ends_ || (frame = take_waiting()) != nullptr; });
    if (!frame) return;
    lock.unlock();
    context.pack(*frame);
    lock.lock();
    frame->state = PackedFrame::State::done;
    done_.notify_one();
  }
}

// While the oldest one is not done, this thread packs, too.
std::unique_ptr<PackedFrame> FramePacker::take() {
  if (!own_) own_ = std::make_unique<FrameContext>(level_);
  std::unique_lock lock{mutex_};
  while (frames_.front()->state != PackedFrame::State::done) {
    PackedFrame* frame = take_waiting();
    if (!frame) {
      done_.wait(lock);
      continue;
    }
    lock.unlock();
    own_->pack(*frame);
    lock.lock();
    frame->state = PackedFrame::State::done;
  }
  std::unique_ptr<PackedFrame> frame = std::move(frames_.front());
  frames_.pop_front();
  return frame;
}

}  // namespace critpipe
