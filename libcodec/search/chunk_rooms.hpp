// The memory of what several threads search. Internal.
//
// A thread gets a room back that it had before, and the one it had last, first: its lines are still in the cache of its
// processor. To overwrite them there from another takes longer than to search them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace critpipe::search {

class ChunkRooms {
 public:
  struct Room {
    std::unique_ptr<std::byte[]> bytes = {};  // null: there is none
    std::thread::id owner = {};
  };

  // Of that many bytes each. Others' rooms are taken where there are so many.
  ChunkRooms(std::size_t room_bytes, std::size_t enough) : room_bytes_{room_bytes}, enough_{enough} {}
  std::size_t room_bytes() const { return room_bytes_; }

  Room take() {
    const auto owner = std::this_thread::get_id();
    const std::scoped_lock lock{mutex_};
    auto room = std::ranges::find(free_, owner, &Room::owner);
    if (room == free_.end() && nr_ >= enough_) room = free_.begin();
    if (room == free_.end()) {
      Room made{std::make_unique_for_overwrite<std::byte[]>(room_bytes_), owner};
      free_.reserve(++nr_);
      return made;
    }
    Room taken = std::move(*room);
    free_.erase(room);
    taken.owner = owner;
    return taken;
  }
  void give_back(Room room) {
    const std::scoped_lock lock{mutex_};
    if (room.bytes) free_.insert(free_.begin(), std::move(room));
  }

 private:
  const std::size_t room_bytes_, enough_;
  std::mutex mutex_;
  std::vector<Room> free_;  // what was given back last, first
  std::size_t nr_ = 0;
};

}  // namespace critpipe::search
