// Files and directories, opened with care.
#include "critpipe/input_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.hpp"
#include "base/path_names.hpp"

namespace critpipe {

namespace {

// O_NONBLOCK: opening a named pipe must not wait for its writer.
constexpr int hardened = O_RDONLY | O_NONBLOCK;

void close_unless_standard(int fd) {
  if (fd > STDERR_FILENO) ::close(fd);
}

Error not_a_file(std::string place, const char* what) {
  Error error{Reason::bad_member, std::move(place)};
  error.name = what;
  return error;
}

}  // namespace

InputFile::InputFile(int fd, std::string place) : fd_{fd}, place_{std::move(place)} {
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) return;
  is_pipe_ = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
  if (S_ISREG(status.st_mode) && status.st_size > 0) size_ = static_cast<std::uint64_t>(status.st_size);
}

// What was opened, if it is a regular file; errno says why nothing was.
InputFile InputFile::regular(int fd, std::string place, Error& error) {
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) {
    error = errno == ELOOP ? not_a_file(std::move(place), "link") : open_fault(place, errno);
  } else if (!S_ISREG(status.st_mode)) {
    error = not_a_file(std::move(place), S_ISDIR(status.st_mode) ? "directory" : "device or pipe");
  } else {
    return {fd, std::move(place), static_cast<std::uint64_t>(status.st_size)};
  }
  if (fd >= 0) ::close(fd);
  return {};
}

InputFile InputFile::at(const std::string& path, Error& error) {
  return regular(::open(path.c_str(), hardened | O_CLOEXEC), path, error);
}

InputFile::InputFile(InputFile&& other) noexcept { *this = std::move(other); }

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(place_, other.place_);
  std::swap(size_, other.size_);
  std::swap(is_pipe_, other.is_pipe_);
  return *this;
}

InputFile::~InputFile() { close_unless_standard(fd_); }

std::size_t InputFile::read(std::span<std::byte> into, Error& error) {
  for (;;) {
    const ssize_t size = ::read(fd_, into.data(), into.size());
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno == EINTR) continue;
    error = system_error(Reason::io_read, place_, errno);
    return 0;
  }
}

bool InputFile::skip(std::uint64_t size, Error& error) {
  if (lseek(fd_, static_cast<off_t>(size), SEEK_CUR) >= 0) return true;
  error = system_error(Reason::io_read, place_, errno);
  return false;
}

std::size_t InputFile::pread(std::span<std::byte> into, std::uint64_t offset, Error& error) const {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t size = ::pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) error = system_error(Reason::io_read, place_, errno);
    if (size <= 0) break;
    done += static_cast<std::size_t>(size);
  }
  return done;
}

Directory::Directory(const std::string& path, Error& error)
    : fd_{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}, place_{path} {
  if (fd_ < 0) error = system_error(Reason::io_open, path, errno);
  while (place_.size() > 1 && place_.back() == '/') place_.pop_back();
}

Directory::Directory(Directory&& other) noexcept { *this = std::move(other); }

Directory& Directory::operator=(Directory&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(place_, other.place_);
  return *this;
}

Directory::~Directory() { close_unless_standard(fd_); }

namespace {

Error bad_path(std::string name, const char* why) {
  Error error{Reason::bad_name, std::move(name)};
  error.name = why;
  return error;
}

}  // namespace

std::string Directory::place_of(std::string_view name) const {
  return place_ + (place_.ends_with('/') ? "" : "/") + std::string{name};
}

InputFile Directory::open(std::string_view name, Error& error) const {
  const std::string path{name};
  if (const char* why = fault_of_path(path)) {
    error = bad_path(path, why);
    return {};
  }
  std::string place = place_of(name);
  return InputFile::regular(open_beneath(fd_, path, hardened), std::move(place), error);
}

bool Directory::has(std::string_view name) const {
  if (fault_of_path(name)) return false;
  const int fd = open_beneath(fd_, std::string{name}, O_PATH);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

Directory Directory::follow(std::string_view name, Error& error) const {
  const char* why = fault_of_path(name);
  if (!why && name.find('/') != name.npos) why = "it has several parts";
  if (why) {
    error = bad_path(std::string{name}, why);
    return {};
  }
  const std::string path = place_of(name);
  const int fd = openat(fd_, std::string{name}.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    error = system_error(Reason::io_open, path, errno);
    return {};
  }
  const std::unique_ptr<char, void (*)(void*)> real{realpath(path.c_str(), nullptr), std::free};
  return {fd, real ? std::string{real.get()} : path};
}

Directory Directory::below(std::string_view name, Error& error) const {
  if (const char* why = fault_of_path(name)) {
    error = bad_path(std::string{name}, why);
    return {};
  }
  const int fd = open_beneath(fd_, std::string{name}, O_RDONLY | O_DIRECTORY);
  if (fd < 0) error = system_error(Reason::io_open, place_of(name), errno);
  return {fd, place_of(name)};
}

Directory::Identity Directory::identity() const {
  struct stat status;
  return fstat(fd_, &status) == 0 ? Identity{status.st_dev, status.st_ino} : Identity{};
}

}  // namespace critpipe
