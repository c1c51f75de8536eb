// Files without a name, for what need not outlive the program.
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include "critpipe/output.hpp"

namespace critpipe {

int open_without_name(const std::string& directory) {
  const int fd = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return fd;
  // Some file systems have none.
  std::string name = directory + "/.critpipe.XXXXXX";
  const int named = mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) unlink(name.c_str());
  return named;
}

Error write_at(int fd, std::uint64_t& offset, Bytes bytes, std::string_view place) {
  while (!bytes.empty()) {
    const ssize_t done = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return system_error(Reason::io_write, std::string{place}, done < 0 ? errno : ENOSPC);
    offset += static_cast<std::uint64_t>(done);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

}  // namespace critpipe
