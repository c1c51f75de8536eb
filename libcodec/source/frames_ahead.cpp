#include "source/frames_ahead.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <new>

#include "base/start_thread.hpp"

namespace critpipe {

// What a thread unpacks with.
class FramesAhead::Room {
 public:
  Room() = default;
  ~Room() { ZSTD_freeDCtx(context); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  ZSTD_DCtx* context = ZSTD_createDCtx();
  std::vector<std::byte> packed;
};

FramesAhead::FramesAhead(const InputFile& file, std::size_t nr_threads)
    : file_{file}, nr_threads_{nr_threads}, own_{std::make_unique<Room>()} {}

FramesAhead::~FramesAhead() {
  {
    const std::lock_guard lock{mutex_};
    ends_ = true;
  }
  added_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

bool FramesAhead::suits(const ZstdFrame& frame) {
  constexpr std::uint64_t least = 64 << 10, most = 4 << 20;
  return frame.unpacked >= least && frame.unpacked <= most && frame.packed <= ZSTD_COMPRESSBOUND(most);
}

void FramesAhead::add(const ZstdFrame& frame) {
  std::unique_ptr<Slot> slot;
  if (spare_.empty()) {
    slot = std::make_unique<Slot>();
  } else {
    slot = std::move(spare_.back());
    spare_.pop_back();
  }
  slot->frame = frame;
  slot->state = Slot::State::waiting;
  {
    const std::lock_guard lock{mutex_};
    slots_.push_back(std::move(slot));
  }
  if (workers_.size() + 1 < nr_threads_ && workers_.size() < slots_.size())
    (void)start_thread(workers_, [this] { work(); });
  added_.notify_one();
}

// Requires: the mutex is locked.
FramesAhead::Slot* FramesAhead::take_waiting() {
  const auto slot = std::ranges::find_if(slots_, [](const auto& one) { return one->state == Slot::State::waiting; });
  if (slot == slots_.end()) return nullptr;
  (*slot)->state = Slot::State::taken;
  return slot->get();
}

void FramesAhead::work() {
  Room room;
  std::unique_lock lock{mutex_};
  for (;;) {
    Slot* slot = nullptr;
    added_.wait(lock, [&] { return ends_ || (slot = take_waiting()) != nullptr; });
    if (!slot) return;
    lock.unlock();
    const Slot::State state = unpack(*slot, room);
    lock.lock();
    slot->state = state;
    done_.notify_one();
  }
}

std::optional<Bytes> FramesAhead::unpacked() {
  std::unique_lock lock{mutex_};
  while (!slots_.front()->is_done()) {
    Slot* slot = take_waiting();
    if (!slot) {
      done_.wait(lock);
      continue;
    }
    lock.unlock();
    const Slot::State state = unpack(*slot, *own_);
    lock.lock();
    slot->state = state;
  }
  const Slot& first = *slots_.front();
  return first.state == Slot::State::good ? std::optional{Bytes{first.bytes}} : std::nullopt;
}

void FramesAhead::pop() {
  std::unique_lock lock{mutex_};
  done_.wait(lock, [this] { return slots_.front()->state != Slot::State::taken; });
  spare_.push_back(std::move(slots_.front()));
  slots_.pop_front();
}

FramesAhead::Slot::State FramesAhead::unpack(Slot& slot, Room& room) const try {
  const ZstdFrame& frame = slot.frame;
  Error error;
  if (!room.context) return Slot::State::bad;
  room.packed.resize(frame.packed);
  slot.bytes.resize(frame.unpacked);
  if (file_.pread(room.packed, frame.at, error) < room.packed.size()) return Slot::State::bad;
  const std::size_t size =
      ZSTD_decompressDCtx(room.context, slot.bytes.data(), slot.bytes.size(), room.packed.data(), room.packed.size());
  if (size != frame.unpacked) return Slot::State::bad;
  if (!frame.checksum) return Slot::State::good;
  // That of the frame, which was checked just now, or one that has to be made.
  const std::uint32_t sum = frame.has_checksum
                                ? load_u32(room.packed.data() + room.packed.size() - sizeof sum)
                                : static_cast<std::uint32_t>(XXH64(slot.bytes.data(), slot.bytes.size(), 0));
  return sum == *frame.checksum ? Slot::State::good : Slot::State::bad;
} catch (const std::bad_alloc&) {
  return Slot::State::bad;
}

}  // namespace critpipe
