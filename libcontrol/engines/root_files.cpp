#include "engines/root_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "critpipe/output.hpp"

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
  std::vector<std::string> words{"tar",      "--file=-",           "--directory=/proc/self/fd/" + std::to_string(root),
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

}  // namespace

Error RootFiles::open_overlay(const std::string& lower, const std::string& upper, const std::string& work) {
  char place[] = "/run/critpipe-XXXXXX";
  if (!mkdtemp(place)) return system_error(Reason::io_open, place, errno);
  // As docker mounts it: with an index, directories that were mounted without one would be refused.
  const std::string options = "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work + ",index=off";
  const Error error = mount("overlay", place, "overlay", 0, options.c_str()) == 0
                          ? open(place)
                          : system_error(Reason::io_open, upper, errno);
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
    std::filesystem::remove_all("/proc/self/fd/" + std::to_string(parent.fd()) + path.substr(slash), error);
    if (error) return system_error(Reason::io_write, path, error.value());
  }
  return {};
}

}  // namespace critpipe
