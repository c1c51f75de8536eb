// A directory and what is in it: removed, or brought to the disk.
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "critpipe/output.hpp"
#include "output/sync_directory.hpp"

namespace critpipe {

namespace {

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

DIR* open_list(int directory) {
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const list = copy >= 0 ? fdopendir(copy) : nullptr;
  if (!list && copy >= 0) close(copy);
  return list;
}

// Links are removed, not followed.
void empty_directory(int directory, int depth) {
  DIR* const list = open_list(directory);
  if (!list) return;
  while (const dirent* entry = readdir(list)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    if (unlinkat(directory, entry->d_name, 0) == 0 || depth == 0) continue;
    const int below = openat(directory, entry->d_name, directory_flags);
    if (below >= 0) {
      empty_directory(below, depth - 1);
      close(below);
    }
    unlinkat(directory, entry->d_name, AT_REMOVEDIR);
  }
  closedir(list);
}

}  // namespace

void remove_directory(const std::string& path) {
  constexpr int deepest = 64;
  const int directory = open(path.c_str(), directory_flags);
  if (directory < 0) return;
  empty_directory(directory, deepest);
  close(directory);
  rmdir(path.c_str());
}

Error sync_files(int directory, const std::string& place) {
  DIR* const list = open_list(directory);
  if (!list) return system_error(Reason::io_write, place, errno);
  Error error;
  while (const dirent* entry = error ? nullptr : readdir(list)) {
    struct stat status;
    if (fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) continue;
    const int file = openat(directory, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0 || fsync(file) != 0) error = system_error(Reason::io_write, place + "/" + entry->d_name, errno);
    if (file >= 0) close(file);
  }
  closedir(list);
  if (!error && fsync(directory) != 0) error = system_error(Reason::io_write, place, errno);
  return error;
}

Error sync_names(const std::string& path) {
  return sync_directory(path) ? Error{} : system_error(Reason::io_write, path, errno);
}

}  // namespace critpipe
