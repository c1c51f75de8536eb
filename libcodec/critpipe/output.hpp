// output: Where bytes go: a buffer that is written out in large blocks.
//
//     char* at = output.reserve(64);            // room for 64 bytes
//     at = write_something(at);
//     output.commit(at);
//
// mark() keeps what follows in memory so that rollback() can take it back, up to held_output_bytes; what is longer is
// written and stays. After a failed write all is thrown away and error() says why.
//
// A folder that gets all files of a set or none.
//
//     FolderWriter folder{"restored", false};
//     Output* file = folder.create("core-1.img", error);
//     file->write(...);
//     folder.close(file, true);
//     folder.commit();                     // without it, what was begun is removed
//
// Files are written in a hidden folder inside and take their names when all are complete. Names lead into the folder
// and never out of it; no link is followed. An image set that lacks images looks like one that never had them, so half
// a set is worse than none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/base.hpp"
#include "critpipe/error.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

class Output {
 public:
  explicit Output(std::size_t capacity = block_bytes);
  virtual ~Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Room for `room` bytes at the place where the next ones go. Views of earlier bytes end here.
  char* reserve(std::size_t room) {
    if (static_cast<std::size_t>(end_ - at_) < room) [[unlikely]]
      make_room(room);
    return at_;
  }
  void commit(char* at) { at_ = at; }
  // commit and reserve at once: for writers that keep the place in a register.
  char* more(char* at, std::size_t room) {
    if (static_cast<std::size_t>(end_ - at) >= room) [[likely]]
      return at;
    at_ = at;
    make_room(room);
    return at_;
  }
  void write(std::string_view text);
  void pass(std::span<const std::byte> bytes);  // a large block goes out without a copy
  // Has the kernel move up to `size` bytes from the file's offset on. Returns how many were; the rest is to be read.
  std::uint64_t pass_file(int fd, std::uint64_t size) { return flush() == Step::go ? move(fd, size) : 0; }

  void mark() { mark_ = at_; }
  void release() { mark_ = nullptr; }
  bool rollback();  // to the mark; false if the bytes are gone, or there is no mark

  Step flush();  // stop: error() says why, or the reader went away
  Step step() const { return failed_ ? Step::stop : Step::go; }
  const Error& error() const { return error_; }

 protected:
  // Writes all of it; false: error_ is set, or nobody reads any more.
  virtual bool drain(const char* bytes, std::size_t size) = 0;
  virtual std::uint64_t move(int, std::uint64_t) { return 0; }
  Error error_;

 private:
  void make_room(std::size_t room);

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
  FileOutput(int fd, std::string name, std::size_t capacity = block_bytes);
  int fd() const { return fd_; }

 private:
  bool drain(const char* bytes, std::size_t size) override;
  std::uint64_t move(int fd, std::uint64_t size) override;
  int fd_;
  std::string name_;
};

class StringOutput final : public Output {
 public:
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

// Compresses what it is given into another output.
class ZstdOutput final : public Output {
 public:
  ZstdOutput(Output& below, int level, int threads);
  ~ZstdOutput() override;
  Step finish();  // ends the frame

 private:
  bool drain(const char* bytes, std::size_t size) override;
  bool compress(const char* bytes, std::size_t size, bool last);

  Output& below_;
  struct CRITPIPE_INNER Context;
  std::unique_ptr<Context> context_;
};

class FolderWriter {
 public:
  // The folder is made unless it is there; then it must be empty, or `replace` allows to overwrite files in it.
  FolderWriter(const std::string& path, bool replace);
  ~FolderWriter();
  FolderWriter(const FolderWriter&) = delete;
  FolderWriter& operator=(const FolderWriter&) = delete;

  const Error& error() const { return error_; }  // why it cannot be used
  // The hidden folder, for who must remove it when the program is ended; and is the folder itself new?
  std::string hidden_path() const { return path_ + "/" + hidden_; }
  bool is_new() const { return made_; }
  // A new file of mode 0600. Null: error says why. Reasons: bad_name, bad_duplicate, io_write.
  Output* create(const std::string& name, Error& error);
  // The same file as that of an open descriptor, as another link to it. False: it cannot be, and nothing was made.
  bool link(const std::string& name, int fd);
  // Not whole: it is removed. Says why it could not be written, also then.
  Error close(Output* file, bool whole);
  Error commit();

 private:
  struct CRITPIPE_INNER Open;

  Error make(const std::string& path, bool replace);
  Error fault(const std::string& name) const;
  Error put_in_place(const std::string& name);
  void discard();

  std::string path_;
  std::string hidden_;  // name of the hidden folder
  int fd_ = -1;
  int hidden_fd_ = -1;
  bool replace_;
  bool made_ = false;
  bool done_ = false;
  std::vector<std::string> names_;    // complete
  std::vector<std::string> folders_;  // made in the hidden one, outer ones first
  std::list<Open> open_;
  Error error_;
};

// A file that is replaced as a whole, or made, with mode 0600: when `write` has failed, what was there before stays.
Error replace_file(const std::string& path, const std::function<Error(Output&)>& write);

}  // namespace critpipe
#pragma GCC visibility pop
