#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "critpipe/control/process.hpp"
#include "critpipe/output.hpp"

namespace critpipe {

PrivateDirectory::PrivateDirectory(Error& error) {
  // A unix socket's path has 108 bytes at most.
  constexpr std::size_t longest = 60;
  // CRIU's log and what it counts lie there; without room, it fails and does not say why.
  constexpr std::uint64_t least_room = 64 << 10;
  const char* places[] = {getenv("XDG_RUNTIME_DIR"), geteuid() == 0 ? "/run" : nullptr, getenv("TMPDIR"), "/tmp"};
  int number = ENOENT;
  std::string last;
  for (const char* place : places) {
    if (!place || place[0] != '/' || std::strlen(place) > longest) continue;
    std::string path = std::string{place} + "/critpipe-XXXXXX";
    last = place;
    struct statvfs room;
    if (statvfs(place, &room) == 0 && room.f_blocks > 0 && room.f_bavail * room.f_frsize < least_room) {
      number = ENOSPC;
      continue;
    }
    if (!mkdtemp(path.data())) {
      number = errno;
      continue;
    }
    fd_ = OwnedDescriptor{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    path_ = std::move(path);
    if (fd_) return;
    number = errno;
    rmdir(path_.c_str());
  }
  error = system_error(Reason::io_open, "private directory in " + last, number);
}

PrivateDirectory::PrivateDirectory(PrivateDirectory&& other) noexcept
    : path_{std::move(other.path_)}, fd_{std::move(other.fd_)} {}

PrivateDirectory& PrivateDirectory::operator=(PrivateDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

PrivateDirectory::~PrivateDirectory() { remove(); }

void PrivateDirectory::remove() {
  if (!fd_) return;
  remove_directory(path_);
  fd_.reset();
}

}  // namespace critpipe
