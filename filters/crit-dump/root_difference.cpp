#include "crit-dump/root_difference.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

Error write_text(int fd, std::string_view text, const char* name) {
  FileOutput output{fd, name};
  output.write(text);
  (void)output.flush();
  return output.error();
}

OwnedDescriptor new_file(int directory, const char* name, Error& error) {
  OwnedDescriptor file{openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!file) error = system_error(Reason::io_write, name, errno);
  return file;
}

// tar keeps owners, modes, times and extended attributes, and follows no link. Names go to it one after the other, each
// with a NUL, so that none is taken for an option.
Error pack(const std::string& root, const std::vector<std::string>& paths, int output, int stop_fd) {
  OwnedDescriptor list{memfd_create("paths", MFD_CLOEXEC)};
  if (!list) return system_error(Reason::io_open, "memory", errno);
  std::string text;
  for (const std::string& path : paths)
    if (path.size() > 1 && path[0] == '/') text.append(path, 1).push_back('\0');
  Error error = write_text(list.fd(), text, "memory");
  if (!error && lseek(list.fd(), 0, SEEK_SET) != 0) error = system_error(Reason::io_open, "memory", errno);
  Child tar;
  ChildOptions how{.input = list.fd(), .output = output};
  how.dies_with_us = true;
  how.new_session = true;  // a signal of our terminal is ours to judge
  if (!error)
    error = tar.start({"tar", "--create", "--file=-", "--directory=" + root, "--no-recursion", "--numeric-owner",
                       "--xattrs", "--xattrs-include=*", "--null", "--verbatim-files-from", "--files-from=-"},
                      how);
  if (!error && !tar.ends_before(stop_fd)) tar.signal(SIGKILL);
  if (!error && tar.wait() != 0)
    error = {.reason = Reason::usage, .image = "rootfs-diff.tar", .name = "tar cannot read all of " + visible(root)};
  return error;
}

}  // namespace

Error write_root_difference(const RunningContainer& container, int directory, int stop_fd) {
  RootChanges changes;
  Error error = root_changes(container, changes);
  if (error || !changes.is_known || container.root.empty()) return error;
  const OwnedDescriptor file = new_file(directory, "rootfs-diff.tar", error);
  if (!error) error = pack(container.root, changes.changed, file.fd(), stop_fd);
  if (error || changes.deleted.empty()) return error;
  StringOutput output;
  JsonWriter json{output, false};
  json.begin('[');
  for (const std::string& path : changes.deleted) json.text(path);
  json.end(']').line_end();
  const OwnedDescriptor list = new_file(directory, "deleted.files", error);
  return error ? error : write_text(list.fd(), output.take(), "deleted.files");
}

}  // namespace critpipe::filters
