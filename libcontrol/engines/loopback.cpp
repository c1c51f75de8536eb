// The loopback interface of a container's network.
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "critpipe/control/containers.hpp"

namespace critpipe {

namespace {

// Enters the network for good. True: the interface was down, and is up.
bool raise_in(int network) {
  if (setns(network, CLONE_NEWNET) != 0) return false;
  const OwnedDescriptor any{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  if (!any || ioctl(any.fd(), SIOCGIFFLAGS, &loopback) != 0 || (loopback.ifr_flags & IFF_UP)) return false;
  loopback.ifr_flags = static_cast<short>(loopback.ifr_flags | IFF_UP);
  return ioctl(any.fd(), SIOCSIFFLAGS, &loopback) == 0;
}

}  // namespace

bool raise_loopback(const RunningContainer& container) {
  const RunningNamespace* const network = container.find_namespace("net");
  if (!container.pid || !network || network->is_ours) return false;
  const std::string path = "/proc/" + std::to_string(container.pid) + "/ns/net";
  const OwnedDescriptor entrance{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  const pid_t child = entrance ? fork() : -1;
  if (child == 0) _exit(raise_in(entrance.fd()) ? 0 : 1);
  int status = 0;
  pid_t ended = -1;
  if (child > 0) {
    do ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
  }
  return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace critpipe
