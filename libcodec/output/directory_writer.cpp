#include "critpipe/output.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <list>
#include <optional>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.hpp"
#include "base/path_names.hpp"
#include "output/file_identity.hpp"
#include "output/sync_directory.hpp"

namespace critpipe {

namespace {

std::string outer_name(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == name.npos ? "" : name.substr(0, slash);
}

constexpr int directory_flags = O_RDONLY | O_DIRECTORY;

// The directory of a name, below an open one.
int open_outer(int at, const std::string& name) {
  const std::string outer = outer_name(name);
  return outer.empty() ? fcntl(at, F_DUPFD_CLOEXEC, 0) : open_beneath(at, outer, directory_flags);
}

// Makes the directories that a name has, below an open one; lists those that are new.
bool make_directories(int at, const std::string& name, std::vector<std::string>* made) {
  for (std::size_t slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1)) {
    const std::string directory = name.substr(0, slash);
    const int fd = open_outer(at, directory);
    if (fd < 0) return false;
    const int result = mkdirat(fd, std::string{last_part(directory)}.c_str(), 0700);
    close_keeping_errno(fd);
    if (result == 0 && made) made->push_back(directory);
    if (result != 0 && errno != EEXIST) return false;
  }
  return true;
}

// False where that cannot be known.
bool is_empty(int directory) {
  const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = fd < 0 ? nullptr : fdopendir(fd);
  if (!stream) {
    if (fd >= 0) close(fd);
    return false;
  }
  int entries = 0;
  errno = 0;
  while (readdir(stream)) ++entries;
  const bool is_known = errno == 0;
  closedir(stream);
  return is_known && entries <= 2;
}

// Closes its file.
struct NewFile {
  std::string name;
  int fd;
  FileOutput output;
  std::optional<std::array<timespec, 2>> times = {};  // that it gets in the end

  NewFile(std::string given, int opened, const std::string& path)
      : name{std::move(given)}, fd{opened}, output{fd, path, block_bytes / 4} {}
  ~NewFile() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

class DirectoryWriter::Work {
 public:
  Work(const std::string& path, const Options& options);
  ~Work();
  const Error& error() const { return error_; }
  std::string hidden_path() const { return path_ + "/" + hidden_; }
  bool is_new() const { return made_; }
  Output* create(const std::string& name, Error& error);
  bool keep_identity(Output* file, int open);
  bool link(const std::string& name, int fd);
  [[nodiscard]] Error symbolic_link(const std::string& name, const std::string& target);
  Error end(Output* file, bool complete);
  Error finish();
  Error commit();

 private:
  Error make(const std::string& path);
  Error fault(const std::string& name) const;
  struct Ends;
  struct Placed {
    enum : std::uint8_t { added, exchanged, replaced } how = added;  // replaced: what was there is gone
    bool has_old_name = false;
  };
  Error put_in_place(const std::string& name, Placed& placed);
  void take_back(const std::string& name, Placed placed);
  Error refused(const std::string& name) const;
  Error sync_names();
  void discard();

  std::string path_;
  std::string hidden_;  // name of the hidden directory
  int fd_ = -1;
  int hidden_fd_ = -1;
  Options options_;
  bool made_ = false;
  bool done_ = false;
  std::size_t nr_synced_ = 0;             // of names_
  std::vector<std::string> names_;        // of complete files
  std::vector<std::string> links_;        // symbolic ones
  std::vector<std::string> directories_;  // made in the hidden one, outer ones first
  std::list<NewFile> files_;
  Error error_;
};

DirectoryWriter::DirectoryWriter(const std::string& path, const Options& options)
    : work_{std::make_unique<Work>(path, options)} {}
DirectoryWriter::~DirectoryWriter() = default;
const Error& DirectoryWriter::error() const { return work_->error(); }
std::string DirectoryWriter::hidden_path() const { return work_->hidden_path(); }
bool DirectoryWriter::is_new() const { return work_->is_new(); }
Output* DirectoryWriter::create(const std::string& name, Error& error) { return work_->create(name, error); }
bool DirectoryWriter::keep_identity(Output* file, int open) { return work_->keep_identity(file, open); }
bool DirectoryWriter::link(const std::string& name, int fd) { return work_->link(name, fd); }
Error DirectoryWriter::symbolic_link(const std::string& name, const std::string& target) {
  return work_->symbolic_link(name, target);
}
Error DirectoryWriter::close(Output* file) { return work_->end(file, true); }
Error DirectoryWriter::abandon(Output* file) { return work_->end(file, false); }
Error DirectoryWriter::finish() { return work_->finish(); }
Error DirectoryWriter::commit() { return work_->commit(); }

DirectoryWriter::Work::Work(const std::string& path, const Options& options) : path_{path}, options_{options} {
  error_ = make(path);
}

Error DirectoryWriter::Work::make(const std::string& path) {
  made_ = mkdir(path.c_str(), 0700) == 0;
  if (!made_ && errno != EEXIST) return system_error(Reason::io_write, path, errno);
  fd_ = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd_ < 0) return system_error(Reason::io_write, path, errno);
  struct stat status;
  if (options_.identity &&
      (fstat(fd_, &status) != 0 || *options_.identity != std::pair{status.st_dev, status.st_ino})) {
    Error error{Reason::io_write, path};
    error.name = "it is not the directory that was read";
    return error;
  }
  if (!options_.replace && !is_empty(fd_)) {
    Error error{Reason::io_write, path};
    error.name = "not an empty directory (-f writes into it all the same)";
    return error;
  }
  std::uint64_t number = 0;
  (void)!getrandom(&number, sizeof number, 0);
  const std::string name = format(".incomplete-%012llx", static_cast<unsigned long long>(number & 0xffffffffffff));
  if (mkdirat(fd_, name.c_str(), 0700) != 0) return system_error(Reason::io_write, path, errno);
  hidden_ = name;
  hidden_fd_ = open_beneath(fd_, hidden_, directory_flags);
  return hidden_fd_ < 0 ? system_error(Reason::io_write, path, errno) : Error{};
}

Error DirectoryWriter::Work::fault(const std::string& name) const {
  return system_error(Reason::io_write, path_ + "/" + name, errno);
}

Error DirectoryWriter::Work::refused(const std::string& name) const {
  const char* why = name == "-" ? "it has none (an image stream keeps names: --stream)" : fault_of_name(name);
  if (!why) return {};
  Error error{Reason::bad_name, path_ + "/" + name};
  error.name = why;
  return error;
}

Output* DirectoryWriter::Work::create(const std::string& name, Error& error) {
  error = refused(name);
  if (error) return nullptr;
  const bool has_directory = make_directories(hidden_fd_, name, &directories_);
  const int fd = has_directory ? open_beneath(hidden_fd_, name, O_WRONLY | O_CREAT | O_EXCL, 0600) : -1;
  if (fd < 0 || fchmod(fd, 0600) != 0) {
    error = fault(name);
    if (errno == EEXIST) error.reason = Reason::bad_duplicate, error.name = name;
    if (fd >= 0) ::close(fd);
    return nullptr;
  }
  return &files_.emplace_back(name, fd, path_ + "/" + name).output;
}

bool DirectoryWriter::Work::keep_identity(Output* file, int open) {
  const auto at = std::ranges::find_if(files_, [&](const NewFile& one) { return &one.output == file; });
  struct stat old;
  if (fstat(open, &old) != 0) return false;
  at->times = {old.st_atim, old.st_mtim};
  return critpipe::keep_identity(open, at->fd);
}

bool DirectoryWriter::Work::link(const std::string& name, int fd) {
  if (fault_of_name(name) || !make_directories(hidden_fd_, name, &directories_)) return false;
  const int to = open_outer(hidden_fd_, name);
  const std::string from = "/proc/self/fd/" + std::to_string(fd);
  const std::string last{last_part(name)};
  const bool done = to >= 0 && linkat(AT_FDCWD, from.c_str(), to, last.c_str(), AT_SYMLINK_FOLLOW) == 0;
  if (to >= 0) ::close(to);
  if (done) names_.push_back(name);
  return done;
}

Error DirectoryWriter::Work::symbolic_link(const std::string& name, const std::string& target) {
  if (Error error = refused(name)) return error;
  const bool has_directory = make_directories(hidden_fd_, name, &directories_);
  const int at = has_directory ? open_outer(hidden_fd_, name) : -1;
  Error error;
  if (at < 0 || symlinkat(target.c_str(), at, std::string{last_part(name)}.c_str()) != 0) {
    error = fault(name);
    if (errno == EEXIST) error.reason = Reason::bad_duplicate, error.name = name;
  }
  if (at >= 0) ::close(at);
  if (!error) links_.push_back(name);
  return error;
}

Error DirectoryWriter::Work::end(Output* file, bool complete) {
  const auto at = std::ranges::find_if(files_, [&](const NewFile& one) { return &one.output == file; });
  if (complete) (void)at->output.flush();
  // One that could not be written is not complete, and nobody else says why.
  Error error = at->output.error();
  if (complete && !error && at->times) (void)futimens(at->fd, at->times->data());
  // Starts what finish() waits for.
  if (complete && !error && options_.sync == Sync::disk) (void)sync_file_range(at->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  if (complete && !error && ::close(std::exchange(at->fd, -1)) != 0) error = fault(at->name);
  if (complete && !error) names_.push_back(at->name);
  else unlinkat(hidden_fd_, at->name.c_str(), 0);
  files_.erase(at);
  return error;
}

Error DirectoryWriter::Work::finish() {
  if (error_ || options_.sync == Sync::none) return error_;
  for (; nr_synced_ < names_.size(); ++nr_synced_) {
    const std::string& name = names_[nr_synced_];
    const int fd = open_beneath(hidden_fd_, name, O_RDONLY | O_NONBLOCK);
    Error error;
    if (fd < 0 && errno == EACCES) continue;  // a link to a file of somebody else
    if (fd < 0 || fsync(fd) != 0) error = fault(name);
    if (fd >= 0) ::close(fd);
    if (error) return error;
  }
  return {};
}

// The names of the files, of the directories around them, and of the directory itself.
Error DirectoryWriter::Work::sync_names() {
  if (options_.sync == Sync::none) return {};
  bool done = true;
  for (const std::string& directory : directories_) {
    const int fd = done ? open_beneath(fd_, directory, directory_flags) : -1;
    done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) ::close(fd);
  }
  done = done && fsync(fd_) == 0 && (!made_ || sync_directory(path_ + "/.."));
  return done ? Error{} : system_error(Reason::io_write, path_, errno);
}

// The two directories of a file: in the hidden one, and where it is to be.
struct DirectoryWriter::Work::Ends {
  Ends(const Work& work, const std::string& name)
      : from{open_outer(work.hidden_fd_, name)}, to{open_outer(work.fd_, name)}, last{last_part(name)} {}
  ~Ends() {
    close_keeping_errno(from);
    close_keeping_errno(to);
  }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  bool are_open() const { return from >= 0 && to >= 0; }
  bool rename(unsigned flags) const { return renameat2(from, last.c_str(), to, last.c_str(), flags) == 0; }
  // Some file systems know no RENAME_NOREPLACE.
  bool place() const {
    return rename(RENAME_NOREPLACE) || (errno == EINVAL && linkat(from, last.c_str(), to, last.c_str(), 0) == 0);
  }
  // What was there takes the place of the file in the hidden directory; some file systems cannot do that.
  bool exchange() const {
    struct stat status;
    const bool is_directory = fstatat(to, last.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
    return !is_directory && rename(RENAME_EXCHANGE);
  }

  bool keep_old(const std::string& suffix) const {
    return linkat(to, last.c_str(), to, (last + suffix).c_str(), 0) == 0;
  }
  void forget_old(const std::string& suffix) const { unlinkat(to, (last + suffix).c_str(), 0); }
  void return_old(const std::string& suffix) const { renameat(to, (last + suffix).c_str(), to, last.c_str()); }

  int from, to;
  std::string last;
};

Error DirectoryWriter::Work::put_in_place(const std::string& name, Placed& placed) {
  if (!make_directories(fd_, name, nullptr)) return fault(name);
  const Ends ends{*this, name};
  if (!ends.are_open()) return fault(name);
  if (ends.place()) return {};
  if (!options_.replace || errno != EEXIST) return fault(name);
  placed.has_old_name = !options_.old_suffix.empty();
  if (placed.has_old_name && !ends.keep_old(options_.old_suffix)) return fault(name + options_.old_suffix);
  placed.how = Placed::exchanged;
  if (ends.exchange()) return {};
  placed.how = Placed::replaced;
  if (ends.rename(0)) return {};
  const Error error = fault(name);
  if (placed.has_old_name) ends.forget_old(options_.old_suffix);
  return error;
}

void DirectoryWriter::Work::take_back(const std::string& name, Placed placed) {
  const Ends ends{*this, name};
  if (!ends.are_open()) return;
  const bool is_back = placed.how == Placed::exchanged && ends.exchange();
  if (placed.how == Placed::added) unlinkat(ends.to, ends.last.c_str(), 0);
  if (is_back && placed.has_old_name) ends.forget_old(options_.old_suffix);
  if (placed.how == Placed::replaced && placed.has_old_name) ends.return_old(options_.old_suffix);
}

Error DirectoryWriter::Work::commit() {
  if (const Error error = finish()) return error;
  names_.insert(names_.end(), links_.begin(), links_.end());
  links_.clear();
  std::vector<Placed> placed;
  for (const std::string& name : names_) {
    const Error error = put_in_place(name, placed.emplace_back());
    if (!error) continue;
    for (placed.pop_back(); !placed.empty(); placed.pop_back()) take_back(names_[placed.size() - 1], placed.back());
    return error;
  }
  const Error error = sync_names();
  done_ = true;
  discard();
  return error;
}

// Removes the hidden directory, and without commit() the directory itself if it is new.
void DirectoryWriter::Work::discard() {
  for (const auto* names : {&names_, &links_})
    for (const std::string& name : *names) unlinkat(hidden_fd_, name.c_str(), 0);
  for (const NewFile& file : files_) unlinkat(hidden_fd_, file.name.c_str(), 0);
  for (auto name = directories_.rbegin(); name != directories_.rend(); ++name) {
    unlinkat(hidden_fd_, name->c_str(), AT_REMOVEDIR);
    if (!done_ && made_) unlinkat(fd_, name->c_str(), AT_REMOVEDIR);
  }
  if (!hidden_.empty()) unlinkat(fd_, hidden_.c_str(), AT_REMOVEDIR);
  if (made_ && !done_) rmdir(path_.c_str());
  names_.clear();
  directories_.clear();
  hidden_.clear();
  made_ = false;
}

DirectoryWriter::Work::~Work() {
  discard();
  if (hidden_fd_ >= 0) ::close(hidden_fd_);
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace critpipe
