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

struct Place {
  std::string target, beside;  // the name, and the directory that it is in
};

// Through a link, so that what it leads to is replaced, and not the link.
Place place_of(const std::string& path) {
  std::error_code none;
  const fs::path real = fs::weakly_canonical(path, none);
  Place place{none || real.empty() ? path : real.string(), ""};
  while (place.target.size() > 1 && place.target.back() == '/') place.target.pop_back();
  place.beside = fs::path{place.target}.parent_path().string();
  if (place.beside.empty()) place.beside = ".";
  return place;
}

Error check_target(const Place& place, bool replace) {
  const std::string& target = place.target;
  struct stat status, around;
  if (lstat(target.c_str(), &status) != 0) return {};
  if (!S_ISDIR(status.st_mode)) return system_error(Reason::io_write, target, ENOTDIR);
  Error error = system_error(Reason::io_write, target, EBUSY);
  error.name = "something is mounted there: name a new directory in it";
  if (stat(place.beside.c_str(), &around) == 0 && around.st_dev != status.st_dev) return error;
  std::error_code ignored;
  return replace || fs::is_empty(target, ignored) || ignored ? Error{} : not_empty(target);
}

Error check_beside(const Place& place) {
  if (faccessat(AT_FDCWD, place.beside.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return {};
  return system_error(Reason::io_write, place.target, errno);
}

}  // namespace

Error check_place(const std::string& path, bool replace) {
  const Place place = place_of(path);
  const Error error = check_beside(place);
  return error ? error : check_target(place, replace);
}

Error check_file_place(const std::string& path) {
  const Place place = place_of(path);
  struct stat status;
  const bool is_there = stat(place.target.c_str(), &status) == 0;
  if (is_there && S_ISDIR(status.st_mode)) return system_error(Reason::io_write, path, EISDIR);
  return is_there && !S_ISREG(status.st_mode) ? Error{} : check_beside(place);
}

HiddenDirectory::HiddenDirectory(const std::string& path, Error& error) {
  cleanup_ = std::make_unique<SignalCleanup>([&] {
    make(path, error);
    return SignalCleanup::Made{path_};
  });
}

void HiddenDirectory::make(const std::string& path, Error& error) {
  const Place place = place_of(path);
  target_ = place.target;
  beside_ = place.beside;
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

Error HiddenDirectory::check(bool replace) const { return check_target({target_, beside_}, replace); }

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
