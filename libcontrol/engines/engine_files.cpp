// Files that engines keep: read as hostile, copied as they are.
#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "critpipe/input_file.hpp"
#include "engines/engine.hpp"

namespace critpipe {

std::string small_file(const std::string& path) {
  const OwnedDescriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status;
  if (!file || fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  std::string text;
  char block[16384];
  for (ssize_t got; (got = read(file.fd(), block, sizeof block)) != 0 && text.size() < max_container_file_bytes;) {
    if (got < 0 && errno != EINTR) return {};
    if (got > 0) text.append(block, static_cast<std::size_t>(got));
  }
  return text;
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  DIR* const list = opendir(path.c_str());
  if (!list) return names;
  while (const dirent* entry = readdir(list))
    if (entry->d_name[0] != '.' && names.size() < most_containers) names.emplace_back(entry->d_name);
  closedir(list);
  std::sort(names.begin(), names.end());
  return names;
}

Error copy_images(const std::string& from, const std::string& to) {
  const OwnedDescriptor source{open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!source) return system_error(Reason::io_open, from, errno);
  const OwnedDescriptor target{open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!target) return system_error(Reason::io_open, to, errno);
  for (const std::string& name : names_in(from)) {
    const OwnedDescriptor file{openat(source.fd(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    struct stat status;
    if (!file || fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const OwnedDescriptor copy{
        openat(target.fd(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!copy) return system_error(Reason::io_write, to + "/" + name, errno);
    for (ssize_t moved = 1; moved != 0;) {
      moved = copy_file_range(file.fd(), nullptr, copy.fd(), nullptr, std::size_t{1} << 30, 0);
      if (moved < 0) moved = sendfile(copy.fd(), file.fd(), nullptr, std::size_t{1} << 30);
      if (moved < 0 && errno != EINTR) return system_error(Reason::io_write, to + "/" + name, errno);
    }
  }
  return {};
}

Error engine_error(std::string_view who, std::string text) {
  return {.reason = Reason::usage, .image = std::string{who}, .name = std::move(text)};
}

}  // namespace critpipe
