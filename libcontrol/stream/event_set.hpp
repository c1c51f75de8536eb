// The descriptors that a streamer end waits for, with a descriptor of its own to wait on, and a way to be woken.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "critpipe/control/process.hpp"

namespace critpipe {

class EventSet {
 public:
  EventSet();
  // Reasons: io_open; where it was not made, or a descriptor cannot be waited for.
  const Error& error() const { return error_; }
  int fd() const { return epoll_.fd(); }

  static constexpr std::uint64_t wake_key = ~std::uint64_t{0};

  // False: errno says why. EPERM: it is a file, which never has to be waited for.
  bool add(int fd, std::uint32_t events, std::uint64_t key);
  void change(int fd, std::uint32_t events, std::uint64_t key);
  void remove(int fd);
  // What has happened by now. Returns the number of events.
  int take(epoll_event* events, int most);
  // fd() is readable until rest() is called. wake(): safe in other threads and in signal handlers.
  void wake() const;
  void rest() const;

 private:
  OwnedDescriptor epoll_, wake_;
  Error error_;
};

}  // namespace critpipe
