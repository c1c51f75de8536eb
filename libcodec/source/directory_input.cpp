#include "source/directory_input.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace critpipe {

namespace {

struct Close {
  void operator()(DIR* stream) const { closedir(stream); }
};

// Adds the names of one folder; false: errno says why not.
bool list(int at, const char* path, bool below, bool all, std::vector<Directory::Entry>& entries) {
  const int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (below ? O_NOFOLLOW : 0));
  const std::unique_ptr<DIR, Close> stream{fd < 0 ? nullptr : fdopendir(fd)};
  if (!stream) return false;
  errno = 0;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string name = entry->d_name;
    const bool is_image = is_image_name(name);
    // Links and folders with an image's name stay: reading them says what they are.
    if (is_image || (all && entry->d_type == DT_REG)) entries.push_back({name, below, is_image});
    errno = 0;
  }
  return errno == 0;
}

}  // namespace

Error list_directory(Directory& directory, const SourceOptions& options) {
  auto& entries = directory.entries;
  const int fd = directory.file.fd();
  if (!list(fd, ".", false, options.all_members, entries)) return system_error(Reason::io_read, directory.place, errno);
  const bool has_set = std::ranges::any_of(entries, [](const auto& entry) { return entry.name.ends_with(".img"); });
  if (!has_set && !list(fd, "checkpoint", true, options.all_members, entries) && errno != ENOENT && errno != ENOTDIR)
    return system_error(Reason::io_read, directory.place + "/checkpoint", errno);
  std::ranges::sort(entries, [](const auto& left, const auto& right) { return natural_less(left.name, right.name); });
  if (entries.empty()) return named_error(Reason::no_images, directory.place, "directory");
  return {};
}

Step read_entry(const Directory& directory, const Directory::Entry& entry, std::uint64_t id, Receiver& receiver) {
  Member member;
  member.name = directory.prefix + entry.name;
  if (!receiver.wants(member.name)) return Step::go;
  const std::string path = (entry.below ? "checkpoint/" : "") + entry.name;
  member.place = directory.place + "/" + path;
  member.id = id;
  member.in_set = true;
  member.is_image = entry.is_image;
  // O_NONBLOCK: a named pipe must not hold us. The folder `checkpoint` was no link when it was listed.
  OpenFile file{openat(directory.file.fd(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  struct stat status;
  if (file.fd() < 0 && errno == ELOOP) {
    receiver.fail(nullptr, named_error(Reason::bad_member, member.place, "link"));
  } else if (file.fd() < 0 || fstat(file.fd(), &status) != 0) {
    receiver.fail(nullptr, system_error(Reason::io_open, member.place, errno));
  } else if (!S_ISREG(status.st_mode)) {
    const char* what = S_ISDIR(status.st_mode) ? "folder" : "device or pipe";
    receiver.fail(nullptr, named_error(Reason::bad_member, member.place, what));
  } else {
    member.size = static_cast<std::uint64_t>(status.st_size);
    return read_file(std::move(file), member, receiver);
  }
  return Step::go;
}

}  // namespace critpipe
