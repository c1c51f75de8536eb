#include "crit-dump/hidden_directory.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "critpipe/output.hpp"

namespace critpipe::filters {

namespace fs = std::filesystem;

namespace {

Error not_empty(const std::string& target) {
  Error error{Reason::io_write, target};
  error.name = "the directory is not empty (-f replaces it)";
  return error;
}

}  // namespace

HiddenDirectory::HiddenDirectory(const std::string& path, Error& error) {
  cleanup_ = std::make_unique<SignalCleanup>([&] {
    make(path, error);
    return SignalCleanup::Made{path_};
  });
}

void HiddenDirectory::make(const std::string& path, Error& error) {
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
  if (!kept_) remove();
}

void HiddenDirectory::keep() {
  kept_ = true;
  cleanup_.reset();
}

void HiddenDirectory::remove() {
  if (!path_.empty()) remove_directory(path_);
}

Error HiddenDirectory::write(const char* name, const std::string& text) {
  const OwnedDescriptor file{openat(fd(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!file || ::write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return system_error(Reason::io_write, path_ + "/" + name, errno);
  return {};
}

Error HiddenDirectory::sync() { return sync_files(fd(), path_); }

Error HiddenDirectory::check(bool replace) const {
  struct stat status, around;
  if (lstat(target_.c_str(), &status) != 0) return {};
  if (!S_ISDIR(status.st_mode)) return system_error(Reason::io_write, target_, ENOTDIR);
  Error error = system_error(Reason::io_write, target_, EBUSY);
  error.name = "something is mounted there: name a new directory in it";
  if (stat(beside_.c_str(), &around) == 0 && around.st_dev != status.st_dev) return error;
  std::error_code ignored;
  return replace || fs::is_empty(target_, ignored) || ignored ? Error{} : not_empty(target_);
}

Error HiddenDirectory::put_in_place(bool replace) {
  Error error;
  const auto take = [&] { error = take_name(replace); };
  if (cleanup_) cleanup_->commit(take);
  else take();
  return error;
}

Error HiddenDirectory::take_name(bool replace) {
  const bool renamed = rename(path_.c_str(), target_.c_str()) == 0;
  if (!renamed && replace && (errno == ENOTEMPTY || errno == EEXIST)) {
    // What was there is then under the hidden name, and goes with it.
    if (syscall(SYS_renameat2, AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0)
      return system_error(Reason::io_write, target_, errno);
    remove_directory(path_);
  } else if (!renamed) {
    return errno == ENOTEMPTY || errno == EEXIST ? not_empty(target_) : system_error(Reason::io_write, target_, errno);
  }
  path_ = target_;
  kept_ = true;
  return sync_names(beside_);
}

}  // namespace critpipe::filters
