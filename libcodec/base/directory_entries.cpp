#include "base/directory_entries.hpp"

#include <cerrno>
#include <sys/types.h>

namespace critpipe {

const dirent64* DirectoryEntries::next() {
  if (at_ == end_) {
    const ssize_t size = getdents64(directory_, block_.data(), block_.size());
    // A directory that was removed has no entries.
    if (size >= 0 || errno == ENOENT) errno = 0;
    if (size <= 0) return nullptr;
    at_ = 0;
    end_ = static_cast<std::size_t>(size);
  }
  const auto* entry = reinterpret_cast<const dirent64*>(block_.data() + at_);
  at_ += entry->d_reclen;
  return entry;
}

}  // namespace critpipe
