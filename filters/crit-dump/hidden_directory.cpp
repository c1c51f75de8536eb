#include "crit-dump/hidden_directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace critpipe::filters {

namespace fs = std::filesystem;

HiddenDirectory::HiddenDirectory(const std::string& path, Error& error) {
  std::error_code none;
  // Through a link, so that what it leads to is replaced, and not the link.
  const fs::path real = fs::weakly_canonical(path, none);
  target_ = none || real.empty() ? path : real.string();
  while (target_.size() > 1 && target_.back() == '/') target_.pop_back();
  beside_ = fs::path{target_}.parent_path().string();
  if (beside_.empty()) beside_ = ".";
  std::string name = beside_ + "/." + fs::path{target_}.filename().string() + ".incomplete-XXXXXX";
  if (!mkdtemp(name.data())) {
    error = system_error(Reason::io_write, path, errno);
    return;
  }
  path_ = std::move(name);
  fd_ = OwnedDescriptor{open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd_) error = system_error(Reason::io_write, path_, errno);
}

HiddenDirectory::~HiddenDirectory() {
  std::error_code ignored;
  if (!kept_ && !path_.empty()) fs::remove_all(path_, ignored);
}

Error HiddenDirectory::write(const char* name, const std::string& text) {
  const OwnedDescriptor file{openat(fd(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!file || ::write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return system_error(Reason::io_write, path_ + "/" + name, errno);
  return {};
}

Error HiddenDirectory::sync() {
  const int copy = openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* list = copy >= 0 ? fdopendir(copy) : nullptr;
  if (!list) return system_error(Reason::io_write, path_, errno);
  Error error;
  while (const dirent* entry = error ? nullptr : readdir(list)) {
    struct stat status;
    if (fstatat(fd(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) continue;
    const OwnedDescriptor file{openat(fd(), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    if (!file || fsync(file.fd()) != 0) error = system_error(Reason::io_write, path_ + "/" + entry->d_name, errno);
  }
  closedir(list);
  if (!error && fsync(fd()) != 0) error = system_error(Reason::io_write, path_, errno);
  return error;
}

Error HiddenDirectory::put_in_place(bool replace) {
  const bool renamed = rename(path_.c_str(), target_.c_str()) == 0;
  if (!renamed && replace && (errno == ENOTEMPTY || errno == EEXIST)) {
    // What was there is then under the hidden name, and goes with it.
    if (syscall(SYS_renameat2, AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0)
      return system_error(Reason::io_write, target_, errno);
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  } else if (!renamed) {
    Error error = system_error(Reason::io_write, target_, errno);
    if (errno == ENOTEMPTY || errno == EEXIST) error.name = "the directory is not empty (-f replaces it)";
    return error;
  }
  path_ = target_;
  kept_ = true;
  const OwnedDescriptor around{open(beside_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!around || fsync(around.fd()) != 0) return system_error(Reason::io_write, beside_, errno);
  return {};
}

}  // namespace critpipe::filters
