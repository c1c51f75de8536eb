#include "stream/event_set.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace critpipe {

EventSet::EventSet() : epoll_{epoll_create1(EPOLL_CLOEXEC)}, wake_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  if (!epoll_ || !wake_ || !add(wake_.fd(), EPOLLIN, wake_key)) error_ = system_error(Reason::io_open, "epoll", errno);
}

bool EventSet::add(int fd, std::uint32_t events, std::uint64_t key) {
  epoll_event event{events, {.u64 = key}};
  return epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventSet::change(int fd, std::uint32_t events, std::uint64_t key) {
  epoll_event event{events, {.u64 = key}};
  epoll_ctl(epoll_.fd(), EPOLL_CTL_MOD, fd, &event);
}

void EventSet::remove(int fd) { epoll_ctl(epoll_.fd(), EPOLL_CTL_DEL, fd, nullptr); }

int EventSet::take(epoll_event* events, int most) {
  const int count = epoll_wait(epoll_.fd(), events, most, 0);
  return count < 0 ? 0 : count;
}

void EventSet::wake() const {
  const int before = errno;
  const std::uint64_t one = 1;
  (void)!write(wake_.fd(), &one, sizeof one);
  errno = before;
}

void EventSet::rest() const {
  std::uint64_t count;
  (void)!read(wake_.fd(), &count, sizeof count);
}

}  // namespace critpipe
