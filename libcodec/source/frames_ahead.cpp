#include "source/frames_ahead.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <new>

#include "base/start_thread.hpp"

namespace critpipe {

namespace {

constexpr std::uint64_t least_bytes = 64 << 10, most_bytes = 4 << 20;
constexpr std::uint64_t most_packed_bytes = ZSTD_COMPRESSBOUND(most_bytes);

// As large as any frame needs, once: room that grows leaves holes behind.
std::span<std::byte> room_of(std::unique_ptr<std::byte[]>& room, std::uint64_t most, std::uint64_t size) {
  if (!room) room = std::make_unique_for_overwrite<std::byte[]>(most);
  return {room.get(), size};
}

}  // namespace

// What a thread unpacks with.
class FramesAhead::Room {
 public:
  Room() = default;
  ~Room() { ZSTD_freeDCtx(context); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  ZSTD_DCtx* context = ZSTD_createDCtx();
  std::unique_ptr<std::byte[]> packed;
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
  return frame.unpacked >= least_bytes && frame.unpacked <= most_bytes && frame.packed <= most_packed_bytes;
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
  if (first.state == Slot::State::bad) return std::nullopt;
  return Bytes{first.bytes.get(), first.frame.unpacked};
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
  const auto packed = room_of(room.packed, most_packed_bytes, frame.packed);
  const auto bytes = room_of(slot.bytes, most_bytes, frame.unpacked);
  if (file_.pread(packed, frame.at, error) < packed.size()) return Slot::State::bad;
  const std::size_t size = ZSTD_decompressDCtx(room.context, bytes.data(), bytes.size(), packed.data(), packed.size());
  if (size != frame.unpacked) return Slot::State::bad;
  if (!frame.checksum) return Slot::State::good;
  // That of the frame, which was checked just now, or one that has to be made.
  const std::uint32_t sum = frame.has_checksum ? load_u32(packed.data() + packed.size() - sizeof sum)
                                               : static_cast<std::uint32_t>(XXH64(bytes.data(), bytes.size(), 0));
  return sum == *frame.checksum ? Slot::State::good : Slot::State::bad;
} catch (const std::bad_alloc&) {
  return Slot::State::bad;
}

}  // namespace critpipe
