#include "stream/streamer_end.hpp"

#include <poll.h>

#include <cerrno>

#include "stream/sigpipe_guard.hpp"

namespace critpipe {

namespace {

constexpr int most_events = 64;
constexpr int most_requests = 64;  // of one step, so that images move in between

}  // namespace

StreamerEnd::StreamerEnd(std::unique_ptr<State> state) : state_{std::move(state)} {}
StreamerEnd::~StreamerEnd() = default;

Error StreamerEnd::State::wait_for_socket() {
  if (events.error()) return events.error();
  if (events.add(socket.fd(), EPOLLIN, socket_key)) return {};
  return system_error(Reason::io_open, socket.name(), errno);
}

// Requests that have come, and their pipes.
Error StreamerEnd::State::talk() {
  using Event = StreamerSocket::Event;
  Error error;
  for (int i = 0; i < most_requests && !error && !has_closed; ++i) {
    switch (socket.next(error)) {
      case Event::nothing: return {};
      case Event::connected: error = wait_for_socket(); break;
      case Event::request: error = on_request(socket.text()); break;
      case Event::pipe: error = on_pipe(socket.text(), std::move(socket.pipe())); break;
      case Event::closed:
        has_closed = true;
        events.remove(socket.fd());
        error = on_closed();
        break;
      case Event::failed: break;
    }
  }
  return error;
}

Error StreamerEnd::State::finish(Error error) {
  is_done = true;
  socket.close();
  release();
  events.wake();  // whoever waits learns of it
  return error;
}

Error StreamerEnd::State::step() {
  if (is_done) return {};
  const SigpipeGuard guard;
  events.rest();
  if (stopped) return finish(on_stop());
  epoll_event happened[most_events];
  const int count = events.take(happened, most_events);
  Error error;
  for (int i = 0; i < count && !error; ++i) {
    const std::uint64_t key = happened[i].data.u64;
    if (key == EventSet::wake_key) continue;
    error = key == socket_key ? talk() : on_event(key, happened[i].events);
  }
  bool more = false;
  if (!error) error = work(more);
  if (error || (has_closed && has_ended())) return finish(std::move(error));
  if (more || stopped) events.wake();
  return {};
}

Error StreamerEnd::listen(const std::string& directory) {
  Error error = state_->socket.listen(directory);
  return error ? error : state_->wait_for_socket();
}

std::string StreamerEnd::socket_path(const std::string& directory) const {
  return directory + "/" + state_->socket.name();
}

Error StreamerEnd::connect(OwnedDescriptor connection) {
  state_->socket.connect(std::move(connection));
  return state_->wait_for_socket();
}

int StreamerEnd::poll_fd() const { return state_->events.fd(); }
bool StreamerEnd::is_connected() const { return state_->socket.is_connected() || state_->has_closed; }
bool StreamerEnd::is_done() const { return state_->is_done; }
Error StreamerEnd::step() { return state_->step(); }

Error StreamerEnd::run() {
  while (!state_->is_done) {
    pollfd wait{state_->events.fd(), POLLIN, 0};
    if (poll(&wait, 1, -1) < 0 && errno != EINTR) return system_error(Reason::io_read, "poll", errno);
    if (Error error = state_->step()) return error;
  }
  return {};
}

void StreamerEnd::stop() {
  state_->stopped = true;
  state_->events.wake();
}

}  // namespace critpipe
