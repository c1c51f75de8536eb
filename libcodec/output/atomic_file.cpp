// A file that is replaced as a whole.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/descriptors.hpp"
#include "base/path_names.hpp"
#include "critpipe/output.hpp"
#include "output/sync_directory.hpp"

namespace critpipe {

namespace {

constexpr int max_links = 40;  // as the kernel follows

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_proc(const std::string& directory) {
  struct statfs status;
  return statfs(directory.c_str(), &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

struct Resolved {
  std::string path;
  bool is_proc_link = false;  // of an open descriptor: what it names may be no file that has a name
};

// Follows the links at the end of a path. A link to what does not exist names a file to be made.
Resolved resolve(std::string path) {
  for (int links = 0; links < max_links; ++links) {
    struct stat status;
    if (lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) break;
    const std::string directory = directory_of(path);
    if (is_proc(directory) && directory_of(path) != "/proc") return {path, true};
    std::error_code error;
    const std::string next = std::filesystem::read_symlink(path, error);
    if (error) break;
    path = next.starts_with('/') ? next : directory + '/' + next;
  }
  return {path, false};
}

// The descriptor of this process that /proc/self/fd/N and its like name; -1: none.
int own_descriptor(const std::string& path) {
  struct stat own, named;
  const std::string name{last_part(path)};
  if (name.empty() || !std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) return -1;
  const bool is_own = stat("/proc/self/fd", &own) == 0 && stat(directory_of(path).c_str(), &named) == 0 &&
                      own.st_dev == named.st_dev && own.st_ino == named.st_ino;
  return is_own ? std::atoi(name.c_str()) : -1;
}

// Some files, such as pipes, cannot be synced, and need not be.
bool sync_descriptor(int fd) { return fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP; }

}  // namespace

bool sync_directory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno == EACCES;  // one that may be written but not read
  const bool done = sync_descriptor(fd);
  close_keeping_errno(fd);
  return done;
}

class AtomicFile::Work {
 public:
  Work(std::string path, const Options& options);
  ~Work();
  const Error& error() const { return error_; }
  FileOutput& output() { return *output_; }
  const std::string& temporary() const { return temporary_; }
  Error finish();
  Error commit();

 private:
  Error open();
  Error open_in_place();
  bool open_temporary();
  bool keep_identity(int fd) const;
  Error put_in_place();
  Error copy_in_place();
  Error fault() const;

  std::string path_;       // as given
  std::string target_;     // without links
  std::string temporary_;  // beside the target
  Options options_;
  int fd_ = -1;
  bool is_regular_ = true;
  bool copies_ = false;  // into the target, which keeps its inode
  bool finished_ = false;
  std::unique_ptr<FileOutput> output_;
  Error error_;
};

AtomicFile::AtomicFile(std::string path, const Options& options)
    : work_{std::make_unique<Work>(std::move(path), options)} {}
AtomicFile::~AtomicFile() = default;
const Error& AtomicFile::error() const { return work_->error(); }
FileOutput& AtomicFile::output() { return work_->output(); }
const std::string& AtomicFile::temporary() const { return work_->temporary(); }
Error AtomicFile::finish() { return work_->finish(); }
Error AtomicFile::commit() { return work_->commit(); }

AtomicFile::Work::Work(std::string path, const Options& options) : path_{std::move(path)}, options_{options} {
  error_ = open();
}

AtomicFile::Work::~Work() {
  if (fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Error AtomicFile::Work::fault() const {
  Error error = system_error(Reason::io_write, path_, errno);
  if (errno == ENXIO) error.name = std::string{"it is a "} + no_device;
  return error;
}

Error AtomicFile::Work::open() {
  const Resolved resolved = resolve(path_);
  target_ = resolved.path;
  struct stat status;
  const bool exists = stat(target_.c_str(), &status) == 0;
  if (resolved.is_proc_link || (exists && !S_ISREG(status.st_mode))) return open_in_place();
  if (!exists && errno != ENOENT) return fault();
  if (!open_temporary()) {
    const bool refused = errno == EACCES || errno == EPERM || errno == EROFS;
    return exists && refused ? open_in_place() : fault();
  }
  // Of a file with other names or an access list, a new one in its place would be another.
  copies_ = exists && (status.st_nlink > 1 || getxattr(target_.c_str(), "system.posix_acl_access", nullptr, 0) > 0 ||
                       !keep_identity(fd_));
  const bool may_copy = !copies_ || faccessat(AT_FDCWD, target_.c_str(), W_OK, AT_EACCESS) == 0;
  if (!may_copy) return fault();
  if (!exists && fchmod(fd_, options_.mode) != 0) {
    close(std::exchange(fd_, -1));
    unlink(std::exchange(temporary_, {}).c_str());
    return open_in_place();
  }
  output_ = std::make_unique<FileOutput>(fd_, path_);
  return {};
}

bool AtomicFile::Work::open_temporary() {
  constexpr std::size_t suffix_bytes = 7;  // of ".XXXXXX"
  const std::string_view name = std::string_view{last_part(target_)}.substr(0, max_name_part_bytes - suffix_bytes);
  temporary_ = directory_of(target_) + '/' + std::string{name} + ".XXXXXX";
  fd_ = mkostemp(temporary_.data(), O_CLOEXEC);
  if (fd_ < 0) temporary_.clear();
  return fd_ >= 0;
}

// Gives the new file the owner and the mode of the one that it replaces.
bool AtomicFile::Work::keep_identity(int fd) const {
  struct stat old, now;
  if (stat(target_.c_str(), &old) != 0 || fstat(fd, &now) != 0) return false;
  const bool same = old.st_uid == now.st_uid && old.st_gid == now.st_gid;
  if (!same && fchown(fd, old.st_uid, old.st_gid) != 0) return false;
  return fchmod(fd, old.st_mode & 07777) == 0;  // a change of owner takes bits away
}

Error AtomicFile::Work::open_in_place() {
  const int own = own_descriptor(target_);
  struct stat status;
  // As the shell's > does, but an open descriptor is continued, not opened anew: >> keeps what is there.
  if (own >= 0) fd_ = fcntl(own, F_DUPFD_CLOEXEC, 0);
  else fd_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_CREAT | O_NOCTTY, options_.mode);
  if (fd_ < 0) return fault();
  is_regular_ = fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
  output_ = std::make_unique<FileOutput>(fd_, path_);
  if (own < 0 && is_regular_) output_->replace_at_first();
  return {};
}

Error AtomicFile::Work::finish() {
  if (error_ || finished_) return error_;
  if (output_->flush() == Step::go) (void)output_->replace();
  if (output_->error()) return error_ = output_->error();
  if (is_regular_ && options_.sync == Sync::disk && !sync_descriptor(fd_)) return error_ = fault();
  finished_ = true;
  return {};
}

Error AtomicFile::Work::commit() {
  if (const Error error = finish()) return error;
  if (temporary_.empty()) {
    if (fd_ >= 0 && close(std::exchange(fd_, -1)) != 0) return error_ = fault();
    return {};
  }
  if (Error error = put_in_place()) return error_ = std::move(error);
  temporary_.clear();
  if (close(std::exchange(fd_, -1)) != 0) return error_ = fault();
  if (options_.sync == Sync::disk && !sync_directory(directory_of(target_))) return error_ = fault();
  return {};
}

Error AtomicFile::Work::put_in_place() {
  // A mount point, as container engines make them of single files, cannot be replaced.
  if (!copies_ && rename(temporary_.c_str(), target_.c_str()) == 0) return {};
  if (!copies_ && errno != EBUSY) return fault();
  Error error = copy_in_place();
  const bool is_there = access(temporary_.c_str(), F_OK) == 0;
  if (!error) unlink(temporary_.c_str());
  else if (is_there) error.name += "; all that was to be written is in " + std::exchange(temporary_, {});
  return error;
}

// The target keeps what it holds until the first bytes that replace it have been read.
Error AtomicFile::Work::copy_in_place() {
  const int to = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
  if (to < 0) return fault();
  FileOutput output{to, path_};
  output.replace_at_first();
  Error error;
  std::string block(block_bytes, '\0');
  ssize_t size = 0;
  for (off_t at = 0; !error && (size = pread(fd_, block.data(), block.size(), at)) != 0;) {
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      error = fault();
      continue;
    }
    output.write({block.data(), static_cast<std::size_t>(size)});
    if (output.step() == Step::stop) error = output.error();
    at += size;
  }
  if (!error && (output.flush() == Step::stop || !output.replace())) error = output.error();
  if (!error && options_.sync == Sync::disk && !sync_descriptor(to)) error = fault();
  close(to);
  return error;
}

Error replace_file(const std::string& path, const std::function<Error(Output&)>& write, Sync sync) {
  AtomicFile file{path, {.sync = sync}};
  if (file.error()) return file.error();
  if (Error error = write(file.output())) return error;
  return file.commit();
}

}  // namespace critpipe
