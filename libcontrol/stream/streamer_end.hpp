// What both ends have in common: events of the connection and of other descriptors, until all is done.
#pragma once

#include <atomic>

#include "critpipe/control/image_streamer.hpp"
#include "stream/event_set.hpp"
#include "stream/streamer_socket.hpp"

namespace critpipe {

struct StreamerEnd::State {
  explicit State(const char* socket_name) : socket{socket_name} {}
  virtual ~State() = default;

  // Of the connection.
  virtual Error on_request(const std::string& name) = 0;
  virtual Error on_pipe(const std::string& name, OwnedDescriptor pipe) = 0;
  virtual Error on_closed() = 0;
  // Of a descriptor that was added to `events` with this key, which has none of the two highest bits.
  virtual Error on_event(std::uint64_t key, std::uint32_t what) = 0;
  // What can be done now, for a moment. more: wants to be called again without an event.
  virtual Error work(bool& more) = 0;
  // Is there nothing to do any more? Asked once the connection was closed.
  virtual bool has_ended() = 0;
  virtual Error on_stop() = 0;
  virtual void release() = 0;  // all descriptors, for all is over

  Error step();
  Error wait_for_socket();
  Error talk();
  Error finish(Error error);

  static constexpr std::uint64_t socket_key = EventSet::wake_key - 1;
  EventSet events;
  StreamerSocket socket;
  std::atomic<bool> stopped = false;
  bool has_closed = false;  // CRIU its connection
  bool is_done = false;
};

}  // namespace critpipe
