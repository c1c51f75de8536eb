// output: Where bytes go: a buffer that is written out in large blocks, and files that appear complete or not at all.
//
//     FileOutput output{STDOUT_FILENO, "standard output"};
//     char* at = output.reserve(64);                  // room for 64 bytes
//     at = std::copy_n("{}\n", 3, at);
//     output.commit(at);
//     if (output.flush() == Step::stop && output.error()) std::cerr << to_string(output.error()) << '\n';
//
//     Error error = replace_file("fs-1.img", [](Output& file) {
//       file.write("...");
//       return Error{};                               // an error instead: the file stays as it was
//     });
//
//     DirectoryWriter directory{"restored"};
//     if (Output* file = directory.create("core-1.img", error)) {
//       file->write("...");
//       error = directory.close(file);
//     }
//     if (!error) error = directory.commit();         // without it, what was begun is removed
//
// What need not outlive the program is in files without a name:
//
//     const int file = open_without_name("/var/tmp");
//     std::uint64_t end = 0;
//     if (Error error = write_at(file, end, bytes, "/var/tmp")) return error;  // end: behind the bytes now
//
// None of these is thread-safe; different objects may be used by different threads, and several may write to one file
// without a name if their ranges do not overlap.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "critpipe/base.hpp"
#include "critpipe/error.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// A buffer in front of drain(). A writer reserves room, writes, and commits; it never writes more than it has reserved.
// After a failed write the rest is thrown away and error() says why.
class Output {
 public:
  // The buffer grows beyond `capacity` for whoever reserves more.
  explicit Output(std::size_t capacity = block_bytes);
  virtual ~Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Room for `room` bytes, at the place where the next ones go. Invalidates what earlier calls returned.
  char* reserve(std::size_t room) {
    if (!has_room(at_, room)) [[unlikely]]
      make_room(room);
    return at_;
  }
  void commit(char* at) {
    assert(at >= at_ && at <= end_);
    at_ = at;
  }
  // commit() and reserve() at once, for writers that keep the place in a register.
  char* more(char* at, std::size_t room) {
    if (has_room(at, room)) [[likely]]
      return at;
    at_ = at;
    make_room(room);
    return at_;
  }
  void write(std::string_view text);
  void pass(std::span<const std::byte> bytes);  // a large block goes out without a copy
  // Has the kernel move up to `size` bytes from the file's offset on. Returns how many were moved; the rest is to be
  // read and written. If error() is set although step() is go, the file cannot be read, and its rest is lost.
  std::uint64_t pass_file(int fd, std::uint64_t size) { return flush() == Step::go ? move(fd, size) : 0; }

  // Keeps what follows in memory, so that rollback() can take it back, up to held_output_bytes; beyond that it is
  // written and stays.
  void mark() { mark_ = at_; }
  void release() { mark_ = nullptr; }
  bool rollback();  // to the mark; false if its bytes are written, or there is no mark

  // A hint: what follows, `size` bytes of it, may be wanted without what comes before. A compressor then begins so that
  // a reader need not unpack what comes before.
  virtual void part_begins(std::uint64_t) {}

  Step flush();  // stop: error() says why, or nobody reads any more
  Step step() const { return failed_ ? Step::stop : Step::go; }
  const Error& error() const { return error_; }  // why it failed; none if nobody reads any more

 protected:
  // Writes all of it. False: error_ is set, or nobody reads any more.
  virtual bool drain(const char* bytes, std::size_t size) = 0;
  virtual std::uint64_t move(int, std::uint64_t) { return 0; }
  // What drain() has not been given yet, and leaving it out.
  std::string_view waiting() const { return {buffer_.get(), static_cast<std::size_t>(at_ - buffer_.get())}; }
  void drop_waiting() {
    at_ = buffer_.get();
    mark_ = nullptr;
  }
  void fail() { failed_ = true; }  // what move() took is not written; error_ says why
  Error error_;

 private:
  static constexpr std::size_t most_room = PTRDIFF_MAX / 4;
  // Signed: a place past the end has no room, whatever is asked for.
  bool has_room(const char* at, std::size_t room) const {
    return end_ - at >= static_cast<std::ptrdiff_t>(std::min(room, most_room));
  }
  void make_room(std::size_t room);
  void check_place() const;

  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_;
  char* at_;
  char* end_;
  char* mark_ = nullptr;
  bool failed_ = false;
};

// A file descriptor, which stays open. A pipe is made as large as the system allows.
class FileOutput final : public Output {
 public:
  // `name` is what errors call it.
  FileOutput(int fd, std::string name, std::size_t capacity = block_bytes);
  int fd() const { return fd_; }
  // What the file holds is dropped when the first bytes are written to it, or by this.
  void replace_at_first() { replaces_ = true; }
  bool replace();

 private:
  bool drain(const char* bytes, std::size_t size) override;
  std::uint64_t move(int fd, std::uint64_t size) override;
  int fd_;
  std::string name_;
  bool replaces_ = false;
};

// A string.
class StringOutput final : public Output {
 public:
  explicit StringOutput(std::size_t capacity = block_bytes) : Output{capacity} {}
  // Everything written so far, which leaves it empty.
  std::string take() {
    (void)flush();
    return std::move(text_);
  }

 private:
  bool drain(const char* bytes, std::size_t size) override {
    text_.append(bytes, size);
    return true;
  }
  std::string text_;
};

// Compresses files that still grow, before it is known what comes before them in a ZstdOutput:
//
//     while (pages_are_written()) wait_unless(output.ahead("/var/tmp").pack(pages));  // on any thread
//     output.ahead("/var/tmp").release();
//     output.part_begins(size);
//     output.pass_file(pages, size);
//
// The output of a file that begins its part is what it is without this; behind other bytes of its part, frames begin in
// other places. What a file holds when pass_file() comes to it counts: a frame whose bytes have changed since is
// compressed again. Not to be used while its output is.
class PackedAhead {
 public:
  ~PackedAhead();
  PackedAhead(const PackedAhead&) = delete;
  PackedAhead& operator=(const PackedAhead&) = delete;

  // The next frame of a regular file, if it has grown beyond that. False: it has not, or there is no room.
  bool pack(int fd);
  // Gives back the memory that pack() takes, up to 16 MiB.
  void release();
  std::uint64_t nr_used() const;  // frames that the output has taken as they were

 private:
  friend class ZstdOutput;
  class CRITPIPE_INNER Work;
  explicit PackedAhead(std::unique_ptr<Work> work);
  std::unique_ptr<Work> work_;
};

// Compresses what it is given into another output, as seekable zstd: frames of 4 MiB at most, which are compressed on
// several threads, and a table of them at the end. Any zstd reads it. The same bytes and parts give the same output on
// any number of threads. Each thread holds 8 MiB, and what the level takes, and two more frames as much.
class ZstdOutput final : public Output {
 public:
  // Requires: threads > 0.
  ZstdOutput(Output& below, int level, int threads);
  ~ZstdOutput() override;
  // What compresses files before pass_file() comes to them. It lives as long as this. `room`: the directory for what it
  // has compressed; that of the first call counts.
  PackedAhead& ahead(const std::string& room);
  // Small parts share a frame; a large one begins a frame and ends with one.
  void part_begins(std::uint64_t size) override;
  Step finish();  // ends the last frame, and writes the table

 private:
  bool drain(const char* bytes, std::size_t size) override;
  std::uint64_t move(int fd, std::uint64_t size) override;

  class CRITPIPE_INNER Frames;
  std::unique_ptr<Frames> frames_;
};

// After a power cut: with `disk`, a file under its final name is complete; with `none`, it may be empty or cut short.
enum class Sync : std::uint8_t { disk, none };

// One file that is replaced as a whole, or created. It is written beside its name and renamed by commit(); until then,
// and after a failure, what was there stays. With Sync::disk its bytes are on disk before it takes its name, and the
// name is before commit() returns: after a power cut the old file is there, or the new one.
//
// A symbolic link is followed: the file that it leads to is replaced. A replaced file keeps its owner, mode and access
// control list. Where that is impossible (a file with several hard links, one whose owner this process may not set, a
// mount point), commit() copies the complete bytes into the file; if that fails, the error names the temporary file,
// which is kept. In a directory that is not writable, it is overwritten in place, starting with the first full block
// or, for less, with finish(). Devices, pipes, sockets and open descriptors (/dev/stdout, /dev/fd/N) are always written
// to, never replaced.
class AtomicFile {
 public:
  struct Options {              // how to make it
    std::uint32_t mode = 0600;  // of a new file
    Sync sync = Sync::disk;
  };
  AtomicFile(std::string path, const Options& options);
  explicit AtomicFile(std::string path) : AtomicFile{std::move(path), Options{}} {}
  ~AtomicFile();  // without commit(), the temporary file is removed
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const Error& error() const;  // why it cannot be written; output() is then not to be used
  FileOutput& output();
  // What a program that is ended by a signal has to remove; empty where the file is written in place.
  const std::string& temporary() const;
  // Writes everything out. commit() does it too; by itself it lets a program handle signals in the meantime.
  Error finish();
  // Puts the file in place.
  Error commit();

 private:
  class CRITPIPE_INNER Work;
  std::unique_ptr<Work> work_;
};

// An AtomicFile that `write` fills: put in place if it returns no error.
[[nodiscard]] Error replace_file(const std::string& path, const std::function<Error(Output&)>& write,
                                 Sync sync = Sync::disk);

// A directory that gets all files of a set, or none: an image set that lacks images looks like one that never had them.
// Files are written in a hidden directory inside, with mode 0600, and take their names when all are complete. Names
// lead into the directory and never out of it; no link in it is followed.
//
// If commit() fails, what was there is there again, where the file system can exchange files (NFS cannot). With
// Sync::disk all bytes are on disk before the first file takes its name, and all names are before commit() returns. A
// power cut during commit() may leave some of the files in place, each complete, and the hidden directory.
class DirectoryWriter {
 public:
  struct Options {         // how to make it
    bool replace = false;  // the directory may have files, which are replaced; otherwise it must be new or empty
    Sync sync = Sync::disk;
    // A file that is replaced keeps a second name with it, which must be free; empty: it does not.
    std::string old_suffix = {};
    // Device and inode of the directory, if it has been read: the path may lead elsewhere by now, which is io_write.
    std::optional<std::pair<std::uint64_t, std::uint64_t>> identity = {};
  };
  DirectoryWriter(const std::string& path, const Options& options);
  explicit DirectoryWriter(const std::string& path) : DirectoryWriter{path, Options{}} {}
  ~DirectoryWriter();
  DirectoryWriter(const DirectoryWriter&) = delete;
  DirectoryWriter& operator=(const DirectoryWriter&) = delete;

  const Error& error() const;  // why it cannot be used
  // What a program that is ended by a signal has to remove: the hidden directory, and with it the directory itself if
  // it is new.
  std::string hidden_path() const;
  bool is_new() const;

  // A new file, until close() or abandon(). Null: error says why. Reasons: bad_name, bad_duplicate, io_write.
  Output* create(const std::string& name, Error& error);
  // The file gets owner, mode and times of an open one, its access list, its SELinux label and what users attached to
  // it. False: not all of them. Set-user-ID and set-group-ID bits and file capabilities are not copied.
  bool keep_identity(Output* file, int open);
  // A hard link to the file of an open descriptor. False: impossible, and nothing was made.
  bool link(const std::string& name, int fd);
  // A symbolic link, which is put in place with the files. Reasons: bad_name, bad_duplicate, io_write.
  [[nodiscard]] Error symbolic_link(const std::string& name, const std::string& target);
  // The file is complete. Reasons: io_write; then it is removed.
  [[nodiscard]] Error close(Output* file);
  // The file is not wanted: it is removed. Still says why it could not be written, if so.
  Error abandon(Output* file);
  // Waits until all closed files are on disk. commit() does it too; by itself it lets a program handle signals in the
  // meantime.
  Error finish();
  Error commit();

 private:
  class CRITPIPE_INNER Work;
  std::unique_ptr<Work> work_;
};

// A new file in the directory, of which nobody else knows, and which is gone when it is closed; -1: errno says why.
int open_without_name(const std::string& directory);
// Writes all of the bytes from an offset on. The offset then is that behind them, or behind what was written. Reasons:
// io_write, with the place.
[[nodiscard]] Error write_at(int fd, std::uint64_t& offset, Bytes bytes, std::string_view place);

// Removes a directory and all that is in it, as far as it may. Links are removed, not followed.
void remove_directory(const std::string& path);
// Waits until the files in an open directory, and their names, are on disk. `place`: its name in errors, with io_write.
[[nodiscard]] Error sync_files(int directory, const std::string& place);
// The same for the names in a directory alone, which may be one that is written to and not read.
[[nodiscard]] Error sync_names(const std::string& path);

}  // namespace critpipe
#pragma GCC visibility pop
