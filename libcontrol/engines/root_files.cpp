#include "engines/root_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "critpipe/output.hpp"
#include "engines/engine.hpp"

namespace critpipe {

namespace {

Error wait_for(Child& tar, int stop_fd, const char* what) {
  const bool is_stopped = !tar.ends_before(stop_fd);
  if (is_stopped) tar.signal(SIGKILL);
  if (tar.wait() == 0 && !is_stopped) return {};
  return {.reason = Reason::usage, .name = is_stopped ? "stopped" : std::string{"tar cannot "} + what};
}

// tar keeps owners, modes, times and extended attributes.
Error start_tar(Child& tar, std::initializer_list<const char*> more, int root, int input, int output) {
  std::vector<std::string> words{"tar",      "--file=-",           "--directory=" + descriptor_path(root),
                                 "--xattrs", "--xattrs-include=*", "--numeric-owner"};
  words.insert(words.end(), more.begin(), more.end());
  ChildOptions how{.keep = {root}, .input = input, .output = output};
  how.dies_with_us = true;
  how.new_session = true;  // a signal of our terminal is ours to judge
  return tar.start(words, how);
}

// Names go to tar one after the other, each with a NUL, so that none is taken for an option.
OwnedDescriptor list_of(const std::vector<std::string>& paths, Error& error) {
  OwnedDescriptor list{memfd_create("paths", MFD_CLOEXEC)};
  FileOutput output{list.fd(), "memory"};
  for (const std::string& path : paths)
    if (path.size() > 1 && path[0] == '/') output.write(std::string{path, 1} + '\0');
  (void)output.flush();
  error = output.error();
  if (!error && lseek(list.fd(), 0, SEEK_SET) != 0) error = system_error(Reason::io_open, "memory", errno);
  return list;
}

// As the options of a mount have it.
std::string escaped(const std::string& path) {
  std::string text;
  for (const char c : path) text.append(c == ',' || c == ':' || c == '\\' ? "\\" : "").push_back(c);
  return text;
}

}  // namespace

// The options of a mount are a page at most, and an image may have 127 layers, whose paths docker makes 100 bytes long:
// they are named by descriptors.
Error mount_overlay(const std::string& place, const std::vector<std::string>& layers, const std::string& upper,
                    const std::string& work) {
  std::vector<OwnedDescriptor> held;
  std::string lower;
  for (const std::string& layer : layers) {
    const OwnedDescriptor& one =
        held.emplace_back(::open(layer.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!one) return system_error(Reason::io_open, layer, errno);
    lower.append(lower.empty() ? "" : ":").append(descriptor_path(one.fd()));
  }
  // As docker mounts it: with an index, directories that were mounted without one would be refused.
  const std::string options =
      "lowerdir=" + lower + ",upperdir=" + escaped(upper) + ",workdir=" + escaped(work) + ",index=off";
  if (mount("overlay", place.c_str(), "overlay", 0, options.c_str()) == 0) return {};
  return system_error(Reason::io_open, upper, errno);
}

Error RootFiles::open_overlay(const std::vector<std::string>& layers, const std::string& upper,
                              const std::string& work) {
  char place[] = "/run/critpipe-XXXXXX";
  if (!mkdtemp(place)) return system_error(Reason::io_open, place, errno);
  Error error = mount_overlay(place, layers, upper, work);
  if (!error) error = open(place);
  (void)umount2(place, MNT_DETACH);  // open() has a mount of its own
  (void)rmdir(place);
  return error;
}

Error RootFiles::open(const std::string& directory) {
  directory_ = OwnedDescriptor{open_tree(AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)};
  mount_attr how{};
  how.attr_set = MOUNT_ATTR_NOSYMFOLLOW;  // links of an image lead into its container, and for us out of it
  if (directory_ && mount_setattr(directory_.fd(), "", AT_EMPTY_PATH, &how, sizeof how) == 0) return {};
  return system_error(Reason::io_open, directory, errno);
}

Error RootFiles::unpack(int archive_fd, int stop_fd) const {
  Child tar;
  const Error error = start_tar(tar, {"--extract", "--preserve-permissions"}, directory_.fd(), archive_fd, -1);
  return error ? error : wait_for(tar, stop_fd, "unpack what differs from the image");
}

Error RootFiles::unpack_difference(const std::string& directory, int stop_fd) const {
  const std::string difference = directory + "/rootfs-diff.tar", deleted = directory + "/deleted.files";
  const OwnedDescriptor file{::open(difference.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!file) return system_error(Reason::io_open, difference, errno);
  if (Error error = unpack(file.fd(), stop_fd)) return error;
  const std::string text = small_file(deleted);
  const JsonAnswer paths{text};
  if (!paths && !text.empty())
    return {.reason = Reason::bad_json, .image = deleted, .name = "it is damaged, or too long"};
  return remove(paths.texts({}));
}

Error RootFiles::copy(const RootFiles& other, const std::vector<std::string>& changed, int stop_fd) const {
  Error error;
  const OwnedDescriptor list = list_of(changed, error);
  OwnedDescriptor read, write;
  if (error || !pipe_pair(read, write, error)) return error;
  Child from, to;
  error = start_tar(from, {"--create", "--no-recursion", "--null", "--verbatim-files-from", "--files-from=-"},
                    other.directory_.fd(), list.fd(), write.fd());
  write.reset();
  if (!error) error = start_tar(to, {"--extract", "--preserve-permissions"}, directory_.fd(), read.fd(), -1);
  read.reset();
  if (!error) error = wait_for(to, stop_fd, "unpack what differs from the image");
  return error ? error : wait_for(from, stop_fd, "read what differs from the image");
}

Error RootFiles::remove(const std::vector<std::string>& paths) const {
  for (const std::string& path : paths) {
    const std::size_t slash = path.rfind('/');
    if (!path.starts_with('/') || slash + 1 == path.size()) continue;
    const std::string above = slash == 0 ? "." : path.substr(1, slash - 1);
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    const OwnedDescriptor parent{
        static_cast<int>(syscall(SYS_openat2, directory_.fd(), above.c_str(), &how, sizeof how))};
    if (!parent && errno == ENOENT) continue;
    if (!parent) return system_error(Reason::io_write, path, errno);
    std::error_code error;
    std::filesystem::remove_all(descriptor_path(parent.fd()) + path.substr(slash), error);
    if (error) return system_error(Reason::io_write, path, error.value());
  }
  return {};
}

Error RootFiles::make_place(const std::string& path, bool is_file) const {
  OwnedDescriptor at{dup(directory_.fd())};
  for (std::size_t begin = 1; begin < path.size() && at;) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const bool is_last = end == path.size();
    begin = end + 1;
    if (name.empty() || name == "." || name == "..") return system_error(Reason::io_write, path, EINVAL);
    if (is_last && is_file) {
      const OwnedDescriptor file{
          openat(at.fd(), name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644)};
      return file ? Error{} : system_error(Reason::io_write, path, errno);
    }
    if (mkdirat(at.fd(), name.c_str(), 0755) != 0 && errno != EEXIST)
      return system_error(Reason::io_write, path, errno);
    at = OwnedDescriptor{openat(at.fd(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  }
  return at ? Error{} : system_error(Reason::io_write, path, errno);
}

}  // namespace critpipe
