#include "base/secret.hpp"

#include <random>
#include <sys/random.h>

namespace critpipe {

const HashSecret& hash_secret() {
  static const HashSecret secret = [] {
    HashSecret drawn;
    if (getrandom(drawn.data(), drawn.size(), 0) == static_cast<ssize_t>(drawn.size())) return drawn;
    std::random_device device;  // a kernel that lacks the call, or a filter of system calls
    for (unsigned char& byte : drawn) byte = static_cast<unsigned char>(device());
    return drawn;
  }();
  return secret;
}

}  // namespace critpipe
