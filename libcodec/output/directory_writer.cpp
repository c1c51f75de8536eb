#include "critpipe/output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/path_names.hpp"

namespace critpipe {

namespace {

// Opens a name of several parts below a folder; ".." and links end it, in the kernel where that knows how.
int open_below(int folder, const std::string& name, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC | O_NOFOLLOW;
  how.mode = (flags & O_CREAT) ? 0600 : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how);
  if (fd >= 0 || errno != ENOSYS) return static_cast<int>(fd);
  // Part by part: none is a link, and names have no "..".
  int at = dup(folder);
  std::size_t begin = 0;
  for (std::size_t slash; at >= 0 && (slash = name.find('/', begin)) != name.npos; begin = slash + 1) {
    const std::string part = name.substr(begin, slash - begin);
    const int next = openat(at, part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const int number = errno;
    close(at);
    errno = number;
    at = next;
  }
  if (at < 0) return -1;
  const int last = openat(at, name.substr(begin).c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  const int number = errno;
  close(at);
  errno = number;
  return last;
}

std::string folder_of(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == name.npos ? "" : name.substr(0, slash);
}

// Makes the folders that a name has, below an open one; those that are new are listed.
bool make_folders(int at, const std::string& name, std::vector<std::string>* made) {
  for (std::size_t slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1)) {
    const std::string outer = folder_of(name.substr(0, slash));
    const int fd = outer.empty() ? dup(at) : open_below(at, outer, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return false;
    const std::string folder = name.substr(0, slash);
    const int result = mkdirat(fd, folder.substr(outer.empty() ? 0 : outer.size() + 1).c_str(), 0700);
    const int number = errno;
    close(fd);
    errno = number;
    if (result == 0 && made) made->push_back(folder);
    if (result != 0 && errno != EEXIST) return false;
  }
  return true;
}

bool is_empty(int folder) {
  DIR* stream = fdopendir(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!stream) return false;
  int entries = 0;
  while (readdir(stream)) ++entries;
  closedir(stream);
  return entries <= 2;
}

}  // namespace

// Closes its file.
struct FolderWriter::Open {
  std::string name;
  int fd;
  FileOutput output;

  Open(std::string given, int opened, const std::string& path)
      : name{std::move(given)}, fd{opened}, output{fd, path, block_bytes / 4} {}
  ~Open() {
    if (fd >= 0) ::close(fd);
  }
};

FolderWriter::FolderWriter(const std::string& path, bool replace) : path_{path}, replace_{replace} {
  error_ = make(path, replace);
}

Error FolderWriter::make(const std::string& path, bool replace) {
  made_ = mkdir(path.c_str(), 0700) == 0;
  if (!made_ && errno != EEXIST) return system_error(Reason::io_write, path, errno);
  fd_ = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd_ < 0) return system_error(Reason::io_write, path, errno);
  if (!replace && !is_empty(fd_)) {
    Error error{Reason::io_write, path};
    error.name = "not an empty folder (-f writes into it all the same)";
    return error;
  }
  std::uint64_t number = 0;
  (void)!getrandom(&number, sizeof number, 0);
  char name[32];
  std::snprintf(name, sizeof name, ".incomplete-%012llx", static_cast<unsigned long long>(number & 0xffffffffffff));
  if (mkdirat(fd_, name, 0700) != 0) return system_error(Reason::io_write, path, errno);
  hidden_ = name;
  hidden_fd_ = open_below(fd_, hidden_, O_RDONLY | O_DIRECTORY);
  return hidden_fd_ < 0 ? system_error(Reason::io_write, path, errno) : Error{};
}

Error FolderWriter::fault(const std::string& name) const {
  return system_error(Reason::io_write, path_ + "/" + name, errno);
}

Output* FolderWriter::create(const std::string& name, Error& error) {
  const char* why = name == "-" ? "it has none (an image stream keeps names: --stream)" : fault_of_name(name);
  if (why) {
    error = {Reason::bad_name, path_ + "/" + name};
    error.name = why;
    return nullptr;
  }
  const bool has_folder = make_folders(hidden_fd_, name, &folders_);
  const int fd = has_folder ? open_below(hidden_fd_, name, O_WRONLY | O_CREAT | O_EXCL) : -1;
  if (fd < 0 || fchmod(fd, 0600) != 0) {
    error = fault(name);
    if (errno == EEXIST) error.reason = Reason::bad_duplicate, error.name = name;
    if (fd >= 0) ::close(fd);
    return nullptr;
  }
  return &open_.emplace_back(name, fd, path_ + "/" + name).output;
}

bool FolderWriter::link(const std::string& name, int fd) {
  if (fault_of_name(name) || !make_folders(hidden_fd_, name, &folders_)) return false;
  const std::string folder = folder_of(name);
  const int to = folder.empty() ? dup(hidden_fd_) : open_below(hidden_fd_, folder, O_RDONLY | O_DIRECTORY);
  const std::string from = "/proc/self/fd/" + std::to_string(fd);
  const std::string last{last_part(name)};
  const bool done = to >= 0 && linkat(AT_FDCWD, from.c_str(), to, last.c_str(), AT_SYMLINK_FOLLOW) == 0;
  if (to >= 0) ::close(to);
  if (done) names_.push_back(name);
  return done;
}

Error FolderWriter::close(Output* file, bool whole) {
  const auto open = std::ranges::find_if(open_, [&](const Open& one) { return &one.output == file; });
  if (whole) (void)open->output.flush();
  // One that could not be written is not whole, and nobody else says why.
  Error error = open->output.error();
  if (whole && !error && ::close(std::exchange(open->fd, -1)) != 0) error = fault(open->name);
  if (whole && !error) names_.push_back(open->name);
  else unlinkat(hidden_fd_, open->name.c_str(), 0);
  open_.erase(open);
  return error;
}

Error FolderWriter::put_in_place(const std::string& name) {
  if (!make_folders(fd_, name, nullptr)) return fault(name);
  const std::string folder = folder_of(name);
  const int from = folder.empty() ? dup(hidden_fd_) : open_below(hidden_fd_, folder, O_RDONLY | O_DIRECTORY);
  const int to = folder.empty() ? dup(fd_) : open_below(fd_, folder, O_RDONLY | O_DIRECTORY);
  const std::string last{last_part(name)};
  const auto rename_as = [&](unsigned flags) { return renameat2(from, last.c_str(), to, last.c_str(), flags) == 0; };
  Error error;
  // Some file systems know no RENAME_NOREPLACE.
  const bool done = from >= 0 && to >= 0 &&
                    (replace_ ? rename_as(0) : rename_as(RENAME_NOREPLACE) || (errno == EINVAL && rename_as(0)));
  if (!done) error = fault(name);
  if (from >= 0) ::close(from);
  if (to >= 0) ::close(to);
  return error;
}

Error FolderWriter::commit() {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const Error error = put_in_place(names_[i]);
    if (!error) continue;
    for (std::size_t placed = 0; placed < i && !replace_; ++placed) unlinkat(fd_, names_[placed].c_str(), 0);
    return error;
  }
  names_.clear();
  done_ = true;
  discard();
  return {};
}

// Removes what is in the hidden folder, and what was made for nothing.
void FolderWriter::discard() {
  for (const std::string& name : names_) unlinkat(hidden_fd_, name.c_str(), 0);
  for (const Open& open : open_) unlinkat(hidden_fd_, open.name.c_str(), 0);
  for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder) {
    unlinkat(hidden_fd_, folder->c_str(), AT_REMOVEDIR);
    if (!done_ && made_) unlinkat(fd_, folder->c_str(), AT_REMOVEDIR);
  }
  if (!hidden_.empty()) unlinkat(fd_, hidden_.c_str(), AT_REMOVEDIR);
  if (made_ && !done_) rmdir(path_.c_str());
  names_.clear();
  folders_.clear();
  hidden_.clear();
  made_ = false;
}

FolderWriter::~FolderWriter() {
  discard();
  if (hidden_fd_ >= 0) ::close(hidden_fd_);
  if (fd_ >= 0) ::close(fd_);
}

Error replace_file(const std::string& path, const std::function<Error(Output&)>& write) {
  const std::string name{last_part(path)};
  const std::string own = folder_of(path);
  const std::string folder{!own.empty() ? own.c_str() : path.starts_with('/') ? "/" : "."};
  if (access(folder.c_str(), F_OK) != 0) return system_error(Reason::io_write, path, errno);  // would be made
  FolderWriter writer{folder, true};
  Error error = writer.error();
  Output* file = error ? nullptr : writer.create(name, error);
  if (!file) return error;
  error = write(*file);
  const Error closed = writer.close(file, !error);
  if (!error) error = closed;
  return error ? error : writer.commit();
}

}  // namespace critpipe
